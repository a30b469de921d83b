"""Losses that are minus the logarithm of a likelihood, beyond `distances`."""

import math

import torch
import torch.nn.functional as F

from .broadcast import unbroadcast
from .linear import linear
from .loss import cross_entropy, reduced, spelled_reduction, unreduced
from .registry import rule, sample


def soft_label_samples(make):
    yield sample(make(2, 3), make.positive(2, 3))
    yield sample(make(2, 3), make.constant(2, 3), weight=make.constant(3), reduction="none")


@rule(F.multilabel_soft_margin_loss, samples=soft_label_samples)
def multilabel_soft_margin_loss(
    input, target, weight=None, size_average=None, reduce=None, reduction="mean"
):
    """The mean over the classes of −t·ln σ(x) − (1 − t)·ln σ(−x): slope σ(x) − t."""
    reduction = spelled_reduction(size_average, reduce, reduction)
    log_yes = F.logsigmoid(input)
    log_no = F.logsigmoid(-input)
    w = 1 if weight is None else weight
    each = -w * (target * log_yes + (1 - target) * log_no)
    dim, classes = input.dim() - 1, input.shape[-1]
    losses = each.sum(dim) / classes
    y = reduced(losses, reduction)

    def backward(dy):
        dlosses = unreduced(dy, losses, reduction)
        deach = (w * dlosses.unsqueeze(dim) / classes).expand(each.shape)
        dinput = unbroadcast(deach * (torch.sigmoid(input) - target), input)
        dtarget = unbroadcast(deach * -input, target)
        dweight = None
        if weight is not None:
            dweight = unbroadcast(deach / w * each / w, weight)
        return dinput, dtarget, dweight

    return y, backward


def gaussian_samples(make):
    yield sample(make(2, 3), make(2, 3), make.positive(2, 3))
    yield sample(make(2, 3), make(2, 3), make.positive(2), full=True, reduction="sum")
    yield sample(make(2, 3), make(2, 3), 0.5, reduction="none")


@rule(F.gaussian_nll_loss, samples=gaussian_samples)
def gaussian_nll_loss(input, target, var, full=False, eps=1e-6, reduction="mean"):
    """½(ln v + (x − t)²/v): slopes (x − t)/v and ½(1 − (x − t)²/v)/v.

    Below ε the variance counts as ε, but receives a cotangent as if it were not held there.
    """
    v = var if isinstance(var, torch.Tensor) else var * torch.ones_like(input)
    if v.shape == input.shape[:-1] and v.shape != input.shape:
        v = v.unsqueeze(-1)
    v = v.clamp(min=eps)
    error = input - target
    losses = 0.5 * (v.log() + error * error / v)
    if full:
        losses = losses + 0.5 * math.log(2 * math.pi)
    y = reduced(losses, reduction)

    def backward(dy):
        dlosses = unreduced(dy, losses, reduction)
        derror = dlosses * error / v
        dinput = unbroadcast(derror, input)
        dtarget = unbroadcast(-derror, target)
        dvar = None
        if isinstance(var, torch.Tensor):
            dv = dlosses * 0.5 * (1 - error * error / v) / v
            dvar = unbroadcast(dv.sum_to_size(v.shape).reshape(var.shape), var)
        return dinput, dtarget, dvar

    return y, backward


def linear_class_samples(make):
    yield sample(make(4, 2), make(3, 2), make.integers(3, 4), linear_bias=make(3))
    yield sample(make(4, 2), make(3, 5, 2), make.integers(3, 4, 5), reduction="sum")


def linear_cross_entropy(
    input,
    linear_weight,
    target,
    *,
    linear_bias=None,
    weight=None,
    reduction="mean",
    ignore_index=None,
    label_smoothing=0.0,
    options=None,
):
    """A linear layer and the cross entropy of what it says: the one rule after the other."""
    ignore_index = -100 if ignore_index is None else ignore_index
    columns = linear_weight.reshape(-1, linear_weight.shape[-1])
    biases = None if linear_bias is None else linear_bias.reshape(-1)
    flat, linear_backward = linear(input, columns, biases)
    logits = flat.reshape(*input.shape[:-1], *linear_weight.shape[:-1])
    y, loss_backward = cross_entropy(
        logits,
        target,
        weight,
        ignore_index=ignore_index,
        reduction=reduction,
        label_smoothing=label_smoothing,
    )

    def backward(dy):
        dlogits, dtarget, dweight = loss_backward(dy)
        dinput, dcolumns, dbiases = linear_backward(dlogits.reshape(flat.shape))
        dlinear_weight = dcolumns.reshape(linear_weight.shape)
        dlinear_bias = None if linear_bias is None else dbiases.reshape(linear_bias.shape)
        return dinput, dlinear_weight, dtarget, dlinear_bias, dweight

    return y, backward


if hasattr(F, "linear_cross_entropy"):  # newer than the oldest torch that we run on
    rule(F.linear_cross_entropy, samples=linear_class_samples)(linear_cross_entropy)
