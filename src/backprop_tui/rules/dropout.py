"""Dropout, and what else draws lots: from the generator's state as it was when the op ran.

The op itself, run on ones, tells which elements it keeps.
"""

import math

import torch
import torch.nn.functional as F

from .registry import rule, sample, spellings
from .softmax import softmax


def dropout_samples(make):
    yield sample(make(2, 3), 0.4, True)
    yield sample(make(2, 3), 0.4, training=False)


@rule(F.dropout, torch.dropout, torch.dropout_, samples=dropout_samples)
def dropout(input, p=0.5, training=True, inplace=False):
    """Each element is 0 with probability p, else divided by 1 − p. So is its cotangent.

    (Srivastava et al., 2014, "Dropout: a simple way to prevent neural networks from
    overfitting".)
    """
    if training:
        mask = F.dropout(torch.ones_like(input), p)
        y = input * mask
    else:
        y = input

    def backward(dy):
        dinput = dy * mask if training else dy
        return dinput

    return y, backward


def channel_samples(make):
    yield sample(make(2, 3, 4), 0.4, True)
    yield sample(make(2, 3, 4), 0.4, False)


@rule(*spellings("feature_dropout"), F.dropout2d, samples=channel_samples)
def dropout2d(input, p=0.5, training=True, inplace=False):
    """Dropout of whole channels: one lot for each (Tompson et al., 2015, arXiv:1411.4280)."""
    y = input
    if training:
        mask = torch.feature_dropout(torch.ones_like(input), p, True)
        y = input * mask

    def backward(dy):
        dinput = dy * mask if training else dy
        return dinput

    return y, backward


@rule(F.dropout1d, samples=channel_samples)
def dropout1d(input, p=0.5, training=True, inplace=False):
    """Dropout of whole channels, of one or of a batch of sequences."""
    y = input
    if training:
        mask = F.dropout1d(torch.ones_like(input), p)
        y = input * mask

    def backward(dy):
        dinput = dy * mask if training else dy
        return dinput

    return y, backward


@rule(F.dropout3d, samples=lambda make: [sample(make(3, 2, 2, 2), 0.4, True)])
def dropout3d(input, p=0.5, training=True, inplace=False):
    """Dropout of whole channels, of one or of a batch of volumes."""
    y = input
    if training:
        mask = F.dropout3d(torch.ones_like(input), p)
        y = input * mask

    def backward(dy):
        dinput = dy * mask if training else dy
        return dinput

    return y, backward


def lots(input, keep, p):
    """y = a·x + b where x is kept and a·α' + b where it is not, so that mean and variance stay.

    α' = −1.758 is the value that SELU saturates at, a = ((1 − p)(1 + p·α'²))^(−½), b = −a·p·α'.
    With p = 1 all is 0. (Klambauer et al., 2017, arXiv:1706.02515.)
    """
    if p == 1:
        return 0 * input, 0
    low = -1.7580993408473766
    a = 1 / math.sqrt((1 - p) * (1 + p * low * low))
    return a * torch.where(keep, input, low) - a * p * low, a


def alpha_samples(make):
    yield sample(make(2, 3, 4), 0.4, True)
    yield sample(make(2, 3, 4), 0.4, False)


@rule(*spellings("alpha_dropout"), F.alpha_dropout, samples=alpha_samples)
def alpha_dropout(input, p=0.5, training=False, inplace=False):
    """Dropout to the value that SELU saturates at; scale and shift keep mean and variance."""
    y = input
    if training and p:
        keep = torch.alpha_dropout(torch.ones_like(input), p, True) > 0
        y, scale = lots(input, keep, p)

    def backward(dy):
        dinput = dy
        if training and p:
            dinput = torch.where(keep, scale * dy, 0)
        return dinput

    return y, backward


@rule(*spellings("feature_alpha_dropout"), F.feature_alpha_dropout, samples=alpha_samples)
def feature_alpha_dropout(input, p=0.5, training=False, inplace=False):
    """alpha_dropout of whole channels: one lot for each."""
    y = input
    if training and p:
        keep = torch.feature_alpha_dropout(torch.ones_like(input), p, True) > 0
        y, scale = lots(input, keep, p)

    def backward(dy):
        dinput = dy
        if training and p:
            dinput = torch.where(keep, scale * dy, 0)
        return dinput

    return y, backward


def rrelu_samples(make):
    yield sample(make(2, 3), 0.1, 0.4, True)
    yield sample(make(2, 3))


@rule(*spellings("rrelu"), F.rrelu, samples=rrelu_samples)
def rrelu(input, lower=1 / 8, upper=1 / 3, training=False, inplace=False):
    """A leaky relu whose slope on the left is drawn anew for each element, or is the mean.

    Only negative elements draw, so the op is asked with −1 and 1 in their places.
    """
    left = input <= 0
    if training:
        units = torch.where(left, -1, 1).to(input.dtype)
        slope = F.rrelu(units, lower, upper, True).abs()
    else:
        slope = torch.where(input > 0, torch.ones_like(input), (lower + upper) / 2)
    y = slope * input

    def backward(dy):
        dinput = slope * dy
        return dinput

    return y, backward


def gumbel_samples(make):
    yield sample(make(2, 3), 0.7)
    yield sample(make(2, 3), hard=True, dim=0)


@rule(F.gumbel_softmax, samples=gumbel_samples)
def gumbel_softmax(logits, tau=1, hard=False, eps=1e-10, dim=-1):
    """softmax((x + g)/τ) with Gumbel noise g = −ln e, e exponential (Jang et al., 2016).

    The hard form is 1 at the largest and passes the soft one's gradient, straight through
    (arXiv:1611.01144).
    """
    exponential = torch.empty_like(logits, memory_format=torch.contiguous_format).exponential_()
    noisy = (logits - exponential.log()) / tau
    soft, softmax_backward = softmax(noisy, dim)
    y = soft
    if hard:
        largest = soft.max(dim, keepdim=True)[1]
        y = torch.zeros_like(soft).scatter(dim, largest, 1) - soft + soft

    def backward(dy):
        dnoisy = softmax_backward(dy)
        dlogits = dnoisy / tau
        return dlogits

    return y, backward
