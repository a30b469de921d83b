"""The losses that train most networks: squared error and cross entropy."""

import torch
import torch.nn.functional as F

from .broadcast import unbroadcast
from .norm import along
from .registry import rule, sample


def spelled_reduction(size_average, reduce, reduction):
    """The reduction's name, from the two deprecated flags where they are given."""
    if size_average is None and reduce is None:
        return reduction
    if reduce is False:
        return "none"
    return "sum" if size_average is False else "mean"


def reduced(losses, reduction, weight=None):
    """The losses as they are, their sum, or their mean: with weights, Σ w·loss / Σ w."""
    if reduction == "none":
        return losses
    if reduction == "mean" and weight is not None:
        return losses.sum() / weight.sum()
    return losses.sum() if reduction == "sum" else losses.mean()


def unreduced(dy, losses, reduction, weight=None):
    """The cotangent of every single loss."""
    if reduction == "mean":
        dy = dy / (losses.numel() if weight is None else weight.sum())
    return dy.expand(losses.shape)


def alike(a, b):
    """Whether two tensors have one shape and one dtype."""
    return a.shape == b.shape and a.dtype == b.dtype


def mse_samples(make):
    yield sample(make(2, 3), make(2, 3))
    yield sample(make(2, 3), make(2, 3), reduction="sum")
    yield sample(make(2, 3), make(2, 3), reduction="none")
    yield sample(make(2, 3), make(2, 3), weight=make.positive(2, 3))


@rule(F.mse_loss, samples=mse_samples)
def mse_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """The squared error (x − t)², summed or averaged: its derivative is 2(x − t).

    With weights the mean is the weighted one, Σ w(x − t)² / Σ w.
    """
    reduction = spelled_reduction(size_average, reduce, reduction)
    if target.dtype == torch.bool:
        target = target.to(input.dtype)
    error = input - target
    if weight is not None:
        y = reduced(weight * error * error, reduction, weight)
    elif reduction == "sum":
        y = (error * error).sum()
    elif reduction == "mean":
        y = (error * error).mean()
    else:
        y = error * error

    def backward(dy):
        dweight = None
        if reduction == "mean":
            dy = dy / (error.numel() if weight is None else weight.sum())
        if weight is not None:
            excess = error * error - y if reduction == "mean" else error * error
            dweight = unbroadcast(excess * dy, weight)
            dy = weight * dy
        dinput = 2 * error * dy
        dtarget = -dinput
        if not (alike(input, dinput) and alike(target, dinput)):
            dinput = unbroadcast(dinput, input)
            dtarget = unbroadcast(dtarget, target)
        return dinput, dtarget, None, None, None, dweight

    return y, backward


def class_samples(make):
    yield sample(make(4, 3), make.integers(3, 4))
    yield sample(make(4, 3), make.integers(3, 4), weight=make.constant(3), reduction="sum")
    yield sample(make(4, 3, 2), make.integers(3, 4, 2), ignore_index=1, reduction="none")


def cross_entropy_samples(make):
    yield from class_samples(make)
    yield sample(make(4, 3), make.integers(3, 4), label_smoothing=0.1)
    yield sample(make(4, 3), make.positive(4, 3), weight=make.constant(3))


@rule(F.nll_loss, samples=class_samples)
def nll_loss(
    input,
    target,
    weight=None,
    size_average=None,
    ignore_index=-100,
    reduce=None,
    reduction="mean",
):
    """Minus the log-probability of the right class, weighted by that class's weight.

    The mean is Σ w·loss / Σ w over the targets that are not ignored.
    """
    reduction = spelled_reduction(size_average, reduce, reduction)
    dim = 1 if input.dim() > 1 else 0
    kept = target != ignore_index
    index = torch.where(kept, target, 0).long()
    w = kept.to(input.dtype) if weight is None else torch.where(kept, weight[index], 0)
    chosen = input.gather(dim, index.unsqueeze(dim)).squeeze(dim)
    y = torch.where(kept, -w * chosen, 0)
    if reduction != "none":
        y = y.sum() / w.sum() if reduction == "mean" else y.sum()

    def backward(dy):
        if reduction == "mean":
            dy = dy / w.sum()
        dchosen = torch.where(kept, -w * dy, 0)
        dinput = torch.zeros_like(input)
        dinput = dinput.scatter_(dim, index.unsqueeze(dim), dchosen.unsqueeze(dim))
        return dinput

    return y, backward


@rule(F.cross_entropy, samples=cross_entropy_samples)
def cross_entropy(
    input,
    target,
    weight=None,
    size_average=None,
    ignore_index=-100,
    reduce=None,
    reduction="mean",
    label_smoothing=0.0,
):
    """The cross entropy −Σ q·ln p of p = softmax(x) against the target distribution q.

    As ln p = x − ln Σeˣ, its derivative is p·Σq − q: where q sums to 1, p − q (Goodfellow et
    al., 2016, Deep Learning, 6.2.2). Smoothing by ε makes q = (1 − ε)·q + ε/n over the n
    classes (Szegedy et al., 2016, arXiv:1512.00567), and weights multiply q.
    """
    reduction = spelled_reduction(size_average, reduce, reduction)
    if target.is_floating_point():
        return distribution_entropy(input, target, weight, reduction, label_smoothing)
    return class_entropy(input, target, weight, ignore_index, reduction, label_smoothing)


def distribution_entropy(input, target, weight, reduction, label_smoothing):
    """The cross entropy −Σ q·ln p against given distributions: ∂L/∂x = p·Σq − q.

    Its mean is over the examples.
    """
    dim = 1 if input.dim() > 1 else 0
    classes = input.shape[dim]
    w = 1 if weight is None else along(weight, input, dim)
    smoothed = target * (1 - label_smoothing) + label_smoothing / classes
    q = w * smoothed
    log_p = input.log_softmax(dim)
    losses = -(q * log_p).sum(dim)
    total = input.numel() / classes
    y = losses
    if reduction != "none":
        y = losses.sum() / total if reduction == "mean" else losses.sum()

    def backward(dy):
        dlosses = dy / total if reduction == "mean" else dy
        dlosses = dlosses.expand(losses.shape).unsqueeze(dim)
        dtarget = unbroadcast(-(1 - label_smoothing) * w * log_p * dlosses, target)
        dweight = None
        if weight is not None:
            dw = -smoothed * log_p * dlosses
            dw = dw.sum_to_size(along(weight, input, dim).shape)
            dweight = unbroadcast(dw.reshape(weight.shape), weight)
        p = log_p.exp()
        dinput = unbroadcast(dlosses * (p * q.sum(dim, keepdim=True) - q), input)
        return dinput, dtarget, dweight

    return y, backward


def class_entropy(input, target, weight, ignore_index, reduction, label_smoothing):
    """The cross entropy −w·ln p of the right class: q is w there and 0 elsewhere.

    So ∂L/∂x = w·p, less w at the class. Its mean is over the weights w.
    """
    dim = 1 if input.dim() > 1 else 0
    kept = target != ignore_index
    index = torch.where(kept, target, 0).long()
    w = kept.to(input.dtype) if weight is None else torch.where(kept, weight[index], 0)
    log_p = input.log_softmax(dim)
    losses = -w * log_p.gather(dim, index.unsqueeze(dim)).squeeze(dim)
    if label_smoothing:
        even = torch.ones_like(log_p) if weight is None else along(weight, input, dim)
        others = -(even * log_p).mean(dim) * kept
        losses = (1 - label_smoothing) * losses + label_smoothing * others
    y = losses
    if reduction != "none":
        y = losses.sum() / w.sum() if reduction == "mean" else losses.sum()

    def backward(dy):
        dlosses = dy / w.sum() if reduction == "mean" else dy
        dlosses = torch.where(kept, dlosses, 0).unsqueeze(dim)
        dchosen = (1 - label_smoothing) * w.unsqueeze(dim) * dlosses
        p = log_p.exp()
        dinput = p * dchosen
        dinput = dinput.scatter_add_(dim, index.unsqueeze(dim), -dchosen)
        if label_smoothing:
            q = label_smoothing / input.shape[dim] * even.expand_as(p)
            dinput += dlosses * (p * q.sum(dim, keepdim=True) - q)
        return dinput, None, None

    return y, backward
