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
    error = input - target
    if weight is not None:
        y = weight * error * error
    elif reduction == "sum":
        y = (error * error).sum()
    elif reduction == "mean":
        y = (error * error).mean()
    else:
        y = error * error
    if weight is not None and reduction != "none":
        y = y.sum() / weight.sum() if reduction == "mean" else y.sum()

    def backward(dy):
        dweight = None
        if reduction == "mean":
            dy = dy / (error.numel() if weight is None else weight.sum())
        if weight is not None:
            excess = error * error - y if reduction == "mean" else error * error
            dweight = excess * dy
            dy = weight * dy
        dinput = 2 * error * dy
        dtarget = -dinput
        if not input.shape == target.shape == error.shape or input.dtype != target.dtype:
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
    index = torch.where(kept, target, 0)
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

    ln p = x − ln Σeˣ, so its derivative is p·Σq − q. A class number stands for the
    distribution that is 1 there; weights multiply q. The mean is over the weights of the
    classes that were aimed at, or over the examples where the targets are distributions.
    """
    reduction = spelled_reduction(size_average, reduce, reduction)
    dim = 1 if input.dim() > 1 else 0
    classes = input.shape[dim]
    w = 1 if weight is None else along(weight, input, dim)
    log_p = input.log_softmax(dim)
    if target.is_floating_point():
        smoothed = target * (1 - label_smoothing) + label_smoothing / classes
        q = w * smoothed
        losses = -(q * log_p).sum(dim)
        total = input.numel() / classes
    else:
        kept = target != ignore_index
        index = torch.where(kept, target, 0)
        aim = kept.to(input.dtype) if weight is None else torch.where(kept, weight[index], 0)
        losses = -aim * log_p.gather(dim, index.unsqueeze(dim)).squeeze(dim)
        if label_smoothing:
            others = -(w * log_p).mean(dim) * kept
            losses = (1 - label_smoothing) * losses + label_smoothing * others
        total = aim.sum()
    y = losses
    if reduction != "none":
        y = losses.sum() / total if reduction == "mean" else losses.sum()

    def backward(dy):
        dlosses = dy / total if reduction == "mean" else dy
        dlosses = dlosses.expand(losses.shape).unsqueeze(dim)
        dtarget = None
        dweight = None
        p = log_p.exp()
        if target.is_floating_point():
            dinput = dlosses * (p * q.sum(dim, keepdim=True) - q)
            dtarget = -(1 - label_smoothing) * w * log_p * dlosses
            if weight is not None:
                dw = -smoothed * log_p * dlosses
                dweight = dw.sum_to_size(along(weight, input, dim).shape).reshape(weight.shape)
        else:
            dlosses = torch.where(kept.unsqueeze(dim), dlosses, 0)
            dchosen = (1 - label_smoothing) * aim.unsqueeze(dim) * dlosses
            dinput = p * dchosen
            dinput = dinput.scatter_add_(dim, index.unsqueeze(dim), -dchosen)
            if label_smoothing:
                spread = label_smoothing / classes * w * torch.ones_like(p)
                dinput += dlosses * (p * spread.sum(dim, keepdim=True) - spread)
        return dinput, dtarget, dweight

    return y, backward
