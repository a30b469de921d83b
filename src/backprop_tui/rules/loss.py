"""The losses that train most networks: squared error and cross entropy."""

import torch
import torch.nn.functional as F

from .broadcast import unbroadcast
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
        squares = weight * error * error
    if weight is None and reduction == "sum":
        y = (error * error).sum()
    elif weight is None and reduction == "mean":
        y = (error * error).mean()
    elif weight is None:
        y = error * error
    elif reduction == "mean":
        y = squares.sum() / weight.sum()
    else:
        y = squares.sum() if reduction == "sum" else squares

    def backward(dy):
        dweight = None
        if reduction == "mean":
            dy = dy / (error.numel() if weight is None else weight.sum())
        if weight is not None:
            deviation = error * error - y if reduction == "mean" else error * error
            dweight = deviation * dy
            dy = weight * dy
        dinput = 2 * error * dy
        dtarget = -dinput
        if input.shape != target.shape or input.dtype != target.dtype:
            dinput = unbroadcast(dinput, input)
            dtarget = unbroadcast(dtarget, target)
        return dinput, dtarget, None, None, None, dweight

    return y, backward
