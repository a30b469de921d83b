"""Functions of each element that are flat or straight in pieces.

Where two pieces meet the slope is a choice, and PyTorch's has changed: since 2.14 a clamp that
meets a bound, fmax and fmin do as maximum does, and x gives all its cotangent to a bound that is
a number. The rules follow the torch that is installed.
"""

import torch
from torch import Tensor

from .broadcast import unbroadcast
from .registry import rule, sample, spellings
from .samples import anywhere


@rule(*spellings("abs", "absolute"), Tensor.__abs__, samples=anywhere)
def abs(input):
    """y = |x|, dy/dx = sign x, and 0 at 0."""
    y = input.abs()

    def backward(dy):
        sign = input.sgn().conj()
        dinput = dy * sign
        return dinput

    return y, backward


@rule(*spellings("sign"), samples=anywhere)
def sign(input):
    """The sign, −1, 0 or 1: flat wherever it has a derivative."""
    y = input.sign()

    def backward(dy):
        dinput = torch.zeros_like(dy)
        return dinput

    return y, backward


@rule(*spellings("floor"), samples=anywhere)
def floor(input):
    """Rounded down: flat wherever it has a derivative."""
    y = input.floor()

    def backward(dy):
        dinput = torch.zeros_like(dy)
        return dinput

    return y, backward


@rule(*spellings("ceil"), samples=anywhere)
def ceil(input):
    """Rounded up: flat wherever it has a derivative."""
    y = input.ceil()

    def backward(dy):
        dinput = torch.zeros_like(dy)
        return dinput

    return y, backward


@rule(*spellings("trunc", "fix"), samples=anywhere)
def trunc(input):
    """Rounded towards 0: flat wherever it has a derivative."""
    y = input.trunc()

    def backward(dy):
        dinput = torch.zeros_like(dy)
        return dinput

    return y, backward


@rule(*spellings("round"), torch.special.round, samples=anywhere)
def round(input, *, decimals=0):
    """Rounded to the nearest: flat wherever it has a derivative."""
    y = torch.round(input, decimals=decimals)

    def backward(dy):
        dinput = torch.zeros_like(dy)
        return dinput

    return y, backward


@rule(*spellings("frac"), samples=anywhere)
def frac(input):
    """What is behind the point, y = x − trunc(x): slope 1."""
    y = input.frac()

    def backward(dy):
        dinput = dy
        return dinput

    return y, backward


@rule(*spellings("nan_to_num"), samples=anywhere)
def nan_to_num(input, nan=None, posinf=None, neginf=None):
    """NaN and infinities replaced by numbers, through which nothing flows."""
    y = torch.nan_to_num(input, nan, posinf, neginf)

    def backward(dy):
        dinput = torch.where(input.isfinite(), dy, 0)
        return dinput

    return y, backward


TIES_ARE_SHARED = torch.__version__ >= "2.14"  # compared as versions, not as text


def clamp_samples(make):
    yield sample(make(2, 3), -0.5, 0.5)
    yield sample(make(2, 3), min=0.0)
    yield sample(make(2, 3), make(3), make(3) + 2)


@rule(*spellings("clamp", "clip"), samples=clamp_samples)
def clamp(input, min=None, max=None):
    """x kept in [min, max]; where it hits a bound, its cotangent goes to the bound.

    At a bound exactly it stays with x, and NaN hits none. Where min > max, y is max; where they
    are equal, PyTorch lets nothing flow to either.
    """
    y = torch.clamp(input, min, max)
    if TIES_ARE_SHARED:
        return y, shared_clamp(input, min, max)

    def backward(dy):
        nowhere = torch.zeros_like(dy, dtype=torch.bool)
        low = nowhere if min is None else input < min
        high = nowhere if max is None else input > max
        above = ~nowhere if min is None else input >= min
        below = ~nowhere if max is None else input <= max
        if min is not None and max is not None:
            low = low & (min < max)
            high = high | (max < min)
        dinput = unbroadcast(torch.where(above & below, dy, 0), input)
        dmin = unbroadcast(torch.where(low, dy, 0), min)
        dmax = unbroadcast(torch.where(high, dy, 0), max)
        return dinput, dmin, dmax

    return y, backward


def shared_clamp(input, min, max):
    """The backward of y = min(max(x, min), max), which shares its cotangent where two meet."""
    raised, raise_backward = (input, None) if min is None else clamp_min(input, min)
    _, lower_backward = (raised, None) if max is None else clamp_max(raised, max)

    def backward(dy):
        draised, dmax = lower_backward(dy) if lower_backward is not None else (dy, None)
        dinput, dmin = raise_backward(draised) if raise_backward is not None else (draised, None)
        return dinput, dmin, dmax

    return backward


def bound_samples(make):
    yield sample(make(2, 3), 0.1)
    yield sample(make(2, 3), make(3))


@rule(*spellings("clamp_min"), samples=bound_samples)
def clamp_min(input, min):
    """x kept at or above a bound."""
    y = torch.clamp_min(input, min)
    if TIES_ARE_SHARED and isinstance(min, Tensor):
        return maximum(input, min)

    def backward(dy):
        above = input > min if TIES_ARE_SHARED else input >= min
        dinput = unbroadcast(torch.where(above, dy, 0), input)
        dmin = unbroadcast(torch.where(input < min, dy, 0), min)
        return dinput, dmin

    return y, backward


@rule(*spellings("clamp_max"), samples=bound_samples)
def clamp_max(input, max):
    """x kept at or below a bound."""
    y = torch.clamp_max(input, max)
    if TIES_ARE_SHARED and isinstance(max, Tensor):
        return minimum(input, max)

    def backward(dy):
        below = input < max if TIES_ARE_SHARED else input <= max
        dinput = unbroadcast(torch.where(below, dy, 0), input)
        dmax = unbroadcast(torch.where(input > max, dy, 0), max)
        return dinput, dmax

    return y, backward


def tied_pairs(make):
    yield sample(make(2, 3), make(3))


@rule(*spellings("maximum"), samples=tied_pairs)
def maximum(input, other):
    """The larger of each pair; the cotangent goes to it, and half to each where they tie.

    Where either is NaN, so is y, and PyTorch lets the cotangent flow to both.
    """
    y = torch.maximum(input, other)

    def backward(dy):
        tie = input == other
        split = torch.where(tie, dy / 2, dy)
        dinput = unbroadcast(torch.where(input < other, 0, split), input)
        dother = unbroadcast(torch.where(input > other, 0, split), other)
        return dinput, dother

    return y, backward


@rule(*spellings("minimum"), samples=tied_pairs)
def minimum(input, other):
    """The smaller of each pair; the cotangent goes to it, and half to each where they tie.

    Where either is NaN, so is y, and PyTorch lets the cotangent flow to both.
    """
    y = torch.minimum(input, other)

    def backward(dy):
        tie = input == other
        split = torch.where(tie, dy / 2, dy)
        dinput = unbroadcast(torch.where(input > other, 0, split), input)
        dother = unbroadcast(torch.where(input < other, 0, split), other)
        return dinput, dother

    return y, backward


@rule(*spellings("fmax"), samples=tied_pairs)
def fmax(input, other):
    """The larger of each pair, the number where the other is NaN. A tie goes to the first."""
    y = torch.fmax(input, other)
    if TIES_ARE_SHARED:
        return y, maximum(input, other)[1]

    def backward(dy):
        first = (input >= other) | other.isnan()
        dinput = unbroadcast(torch.where(first, dy, 0), input)
        dother = unbroadcast(torch.where(first, 0, dy), other)
        return dinput, dother

    return y, backward


@rule(*spellings("fmin"), samples=tied_pairs)
def fmin(input, other):
    """The smaller of each pair, the number where the other is NaN. A tie goes to the first."""
    y = torch.fmin(input, other)
    if TIES_ARE_SHARED:
        return y, minimum(input, other)[1]

    def backward(dy):
        first = (input <= other) | other.isnan()
        dinput = unbroadcast(torch.where(first, dy, 0), input)
        dother = unbroadcast(torch.where(first, 0, dy), other)
        return dinput, dother

    return y, backward
