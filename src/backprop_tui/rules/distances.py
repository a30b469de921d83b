"""Losses that compare prediction and target element by element, then reduce.

Each has its own loss and slope; all end by `reduced` and begin the way back by `unreduced`.
"""

import math

import torch
import torch.nn.functional as F

from .broadcast import as_dtype, unbroadcast
from .loss import reduced, spelled_reduction, unreduced
from .registry import rule, sample


def pair_samples(make):
    yield sample(make(2, 3), make(2, 3))
    yield sample(make(2, 3), make(2, 3), reduction="sum")
    yield sample(make(2, 3), make(2, 3), reduction="none")


@rule(F.l1_loss, samples=pair_samples)
def l1_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """The absolute error |x − t|: its derivative is the sign of x − t, and 0 at 0."""
    reduction = spelled_reduction(size_average, reduce, reduction)
    error = input - target
    own = error.abs()
    losses = own if weight is None else weight * own
    y = reduced(losses, reduction, weight)

    def backward(dy):
        dweight = None
        dlosses = unreduced(dy, losses, reduction, weight)
        if weight is not None:
            dweight = unbroadcast(dlosses * (own - y if reduction == "mean" else own), weight)
            dlosses = dlosses * weight
        derror = dlosses * error.sgn().conj()
        dinput = unbroadcast(derror, input)
        dtarget = unbroadcast(-derror, target)
        return dinput, dtarget, None, None, None, dweight

    return y, backward


@rule(F.smooth_l1_loss, samples=pair_samples)
def smooth_l1_loss(input, target, size_average=None, reduce=None, reduction="mean", beta=1.0):
    """|x − t| − β/2, rounded off to (x − t)²/(2β) where the error is below β.

    Slopes: the sign of x − t, and (x − t)/β (Girshick, 2015, arXiv:1504.08083).
    """
    reduction = spelled_reduction(size_average, reduce, reduction)
    if target.dtype == torch.bool:
        target = target.to(input.dtype)
    error = input - target
    near = error.abs() < beta
    losses = torch.where(near, 0.5 * error * error / (beta or 1), error.abs() - 0.5 * beta)
    y = reduced(losses, reduction)

    def backward(dy):
        dlosses = unreduced(dy, losses, reduction)
        slope = torch.where(error.abs() >= beta, error.sign(), error / (beta or 1))
        derror = dlosses * slope
        dinput = unbroadcast(derror, input)
        dtarget = unbroadcast(-derror, target)
        return dinput, dtarget

    return y, backward


@rule(F.huber_loss, samples=pair_samples)
def huber_loss(input, target, reduction="mean", delta=1.0, weight=None):
    """(x − t)²/2 where the error is below δ, δ(|x − t| − δ/2) above.

    So its slope is x − t, held to ±δ (Huber, 1964, doi:10.1214/aoms/1177703732).
    """
    error = input - target
    near = error.abs() <= delta
    own = torch.where(near, 0.5 * error * error, delta * (error.abs() - 0.5 * delta))
    losses = own if weight is None else weight * own
    y = reduced(losses, reduction, weight)

    def backward(dy):
        dweight = None
        dlosses = unreduced(dy, losses, reduction, weight)
        if weight is not None:
            dweight = unbroadcast(dlosses * (own - y if reduction == "mean" else own), weight)
            dlosses = dlosses * weight
        derror = dlosses * error.clamp(-delta, delta)
        dinput = unbroadcast(derror, input)
        dtarget = unbroadcast(-derror, target)
        return dinput, dtarget, None, None, dweight

    return y, backward


def probability_samples(make):
    yield sample(make.positive(2, 3) / 2.5, make.positive(2, 3) / 2.5)
    yield sample(
        make.positive(2, 3) / 2.5, make.positive(2, 3) / 2.5, make.constant(3), reduction="sum"
    )


@rule(F.binary_cross_entropy, samples=probability_samples)
def binary_cross_entropy(
    input, target, weight=None, size_average=None, reduce=None, reduction="mean"
):
    """−t·ln x − (1 − t)·ln(1 − x), each logarithm at least −100: slope (x − t)/(x(1 − x))."""
    reduction = spelled_reduction(size_average, reduce, reduction)
    log_yes = input.log().clamp(min=-100)
    log_no = (-input).log1p().clamp(min=-100)
    losses = (target - 1) * log_no - target * log_yes
    if weight is not None:
        losses = losses * weight
    y = reduced(losses, reduction)

    def backward(dy):
        dlosses = unreduced(dy, losses, reduction)
        if weight is not None:
            dlosses = dlosses * weight
        spread = (input * (1 - input)).clamp(min=1e-12)
        dinput = dlosses * (input - target) / spread
        dtarget = dlosses * (log_no - log_yes)
        return dinput, dtarget

    return y, backward


def logit_samples(make):
    yield sample(make(2, 3), make.positive(2, 3) / 2.5)
    yield sample(
        make(2, 3), make.positive(2, 3) / 2.5, make.constant(3), pos_weight=make.constant(3)
    )


@rule(F.binary_cross_entropy_with_logits, samples=logit_samples)
def binary_cross_entropy_with_logits(
    input,
    target,
    weight=None,
    size_average=None,
    reduce=None,
    reduction="mean",
    pos_weight=None,
):
    """The binary cross entropy of σ(x): −p·t·ln σ(x) − (1 − t)·ln σ(−x), slope σ(x) − t."""
    reduction = spelled_reduction(size_average, reduce, reduction)
    p = 1 if pos_weight is None else pos_weight
    log_yes = F.logsigmoid(input)
    log_no = F.logsigmoid(-input)
    losses = -p * target * log_yes - (1 - target) * log_no
    if weight is not None:
        losses = losses * weight
    y = reduced(as_dtype(losses, target.dtype), reduction)

    def backward(dy):
        dlosses = unreduced(dy, losses, reduction)
        if weight is not None:
            dlosses = dlosses * weight
        probability = torch.sigmoid(input)
        slope = (1 - target) * probability - p * target * (1 - probability)
        dinput = unbroadcast(dlosses * slope, input)
        toward = -input if pos_weight is None else log_no - p * log_yes  # without p no cancellation
        dtarget = unbroadcast(dlosses * toward, target)
        return dinput, dtarget

    return y, backward


def kl_samples(make):
    yield sample(make(2, 3), make.positive(2, 3))
    yield sample(make(2, 3), make(2, 3), reduction="batchmean", log_target=True)


@rule(F.kl_div, samples=kl_samples)
def kl_div(input, target, size_average=None, reduce=None, reduction="mean", log_target=False):
    """The divergence t·(ln t − x) of a log-probability x from t, 0 where t is 0.

    Slopes: −t in x and ln t − x + 1 in t (Kullback and Leibler, 1951,
    doi:10.1214/aoms/1177729694).
    """
    reduction = spelled_reduction(size_average, reduce, reduction)
    t = target.exp() if log_target else target
    log_t = target if log_target else target.log()
    losses = t * (log_t - input)
    if not log_target:
        losses = torch.where(t == 0, 0, losses)
    size = 1
    if reduction == "batchmean" and input.dim():
        size = len(input)
    y = reduced(losses, "sum") / size if reduction == "batchmean" else reduced(losses, reduction)

    def backward(dy):
        dlosses = unreduced(dy / size, losses, reduction)
        dinput = unbroadcast(-dlosses * t, input)
        if log_target:
            dtarget = dlosses * (losses + t)
        else:
            dtarget = torch.where(t == 0, 0, dlosses * (log_t - input + 1))
        dtarget = unbroadcast(dtarget, target)
        return dinput, dtarget

    return y, backward


@rule(F.soft_margin_loss, samples=lambda make: [sample(make(2, 3), make.constant(2, 3))])
def soft_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """ln(1 + e^(−t·x)): slope −t·σ(−t·x)."""
    reduction = spelled_reduction(size_average, reduce, reduction)
    losses = as_dtype(-F.logsigmoid(target * input), input.dtype)
    y = reduced(losses, reduction)

    def backward(dy):
        dlosses = unreduced(dy, losses, reduction)
        slope = -target * torch.sigmoid(-target * input)
        dinput = unbroadcast(dlosses * slope, input)
        return dinput

    return y, backward


@rule(F.poisson_nll_loss, samples=lambda make: [sample(make(2, 3), make.positive(2, 3))])
def poisson_nll_loss(
    input,
    target,
    log_input=True,
    full=False,
    size_average=None,
    eps=1e-8,
    reduce=None,
    reduction="mean",
):
    """Minus the log-likelihood of counts t at the rate eˣ (or x): eˣ − t·x, slope eˣ − t.

    The full loss adds Stirling's t·ln t − t + ½·ln(2πt) where t > 1.
    """
    reduction = spelled_reduction(size_average, reduce, reduction)
    rate = input.exp() if log_input else input
    log_rate = input if log_input else (input + eps).log()
    losses = rate - target * log_rate
    if full:
        stirling = target * target.log() - target + 0.5 * (2 * math.pi * target).log()
        losses = losses + torch.where(target <= 1, 0, stirling)
    y = reduced(losses, reduction)

    def backward(dy):
        dlosses = unreduced(dy, losses, reduction)
        slope = rate - target if log_input else 1 - target / (input + eps)
        dinput = unbroadcast(dlosses * slope, input)
        toward = -log_rate
        if full:
            toward = toward + torch.where(target <= 1, 0, target.log() + 0.5 / target)
        dtarget = unbroadcast(dlosses * toward, target)
        return dinput, dtarget

    return y, backward
