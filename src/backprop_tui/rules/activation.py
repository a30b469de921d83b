"""Activations made of straight pieces: relu and its relatives. Each passes dy · slope."""

import torch
import torch.nn.functional as F

from .registry import rule, sample, spellings
from .samples import anywhere


def above(input, threshold):
    """input > threshold. NaN counts as above, for PyTorch lets it through, both ways."""
    return ~(input <= threshold)


@rule(*spellings("relu"), F.relu, samples=anywhere)
def relu(input, inplace=False):
    """Rectified linear unit, y = max(0, x). The derivative at 0 is taken as 0."""
    mask = above(input, 0)
    y = torch.where(mask, input, 0)

    def backward(dy):
        dinput = torch.where(mask, dy, 0)
        return dinput

    return y, backward


@rule(F.hardtanh, F.hardtanh_, samples=anywhere)
def hardtanh(input, min_val=-1.0, max_val=1.0, inplace=False):
    """x kept between two bounds; flat at and beyond them."""
    flat = (input <= min_val) | (input >= max_val)
    y = input.clamp(min_val, max_val)

    def backward(dy):
        dinput = torch.where(flat, 0, dy)
        return dinput

    return y, backward


@rule(F.relu6, samples=anywhere)
def relu6(input, inplace=False):
    """x kept between 0 and 6; flat at and beyond them."""
    flat = (input <= 0) | (input >= 6)
    y = input.clamp(0, 6)

    def backward(dy):
        dinput = torch.where(flat, 0, dy)
        return dinput

    return y, backward


@rule(F.leaky_relu, F.leaky_relu_, samples=anywhere)
def leaky_relu(input, negative_slope=0.01, inplace=False):
    """y = x above 0, slope · x below, and that slope at 0 (Maas et al., 2013)."""
    mask = input > 0
    y = torch.where(mask, input, negative_slope * input)

    def backward(dy):
        dinput = torch.where(mask, dy, negative_slope * dy)
        return dinput

    return y, backward


def prelu_samples(make):
    yield sample(make(2, 3, 4), make(3))
    yield sample(make(2, 3), make(1))


@rule(*spellings("prelu"), F.prelu, samples=prelu_samples)
def prelu(input, weight):
    """y = x above 0, w · x below, with one learned w for all or for each channel.

    ∂L/∂w sums dy·x over what lies below 0 (He et al., 2015, arXiv:1502.01852).
    """
    channels = [-1 if d == 1 else 1 for d in range(input.dim())]
    slope = weight.reshape(channels) if weight.numel() != 1 else weight.reshape(())
    mask = input > 0
    y = torch.where(mask, input, slope * input)

    def backward(dy):
        dinput = torch.where(mask, dy, slope * dy)
        dslope = torch.where(mask, 0, dy * input)
        dweight = dslope.sum_to_size(slope.shape).reshape(weight.shape)
        return dinput, dweight

    return y, backward


@rule(
    *spellings("threshold"),
    F.threshold,
    samples=lambda make: [sample(make(2, 3), 0.1, 2.0)],
)
def threshold(input, threshold, value, inplace=False):
    """y = x above the threshold, a fixed value elsewhere."""
    mask = ~(input <= threshold)
    y = torch.where(mask, input, value)

    def backward(dy):
        dinput = torch.where(mask, dy, 0)
        return dinput

    return y, backward


@rule(F.hardshrink, *spellings("hardshrink"), samples=anywhere)
def hardshrink(input, lambd=0.5):
    """y = x, but 0 where |x| ≤ λ."""
    y = torch.where(input.abs() <= lambd, 0, input)

    def backward(dy):
        dinput = torch.where(input.abs() > lambd, dy, 0)
        return dinput

    return y, backward


@rule(F.softshrink, samples=anywhere)
def softshrink(input, lambd=0.5):
    """y = x moved towards 0 by λ, and 0 where |x| ≤ λ."""
    y = torch.where(input.abs() <= lambd, 0, input - lambd * input.sign())

    def backward(dy):
        dinput = torch.where(input.abs() > lambd, dy, 0)
        return dinput

    return y, backward


@rule(F.hardsigmoid, samples=anywhere)
def hardsigmoid(input, inplace=False):
    """A sigmoid of three straight pieces, y = (x + 3)/6 kept in [0, 1]."""
    inside = (input > -3) & (input < 3)
    y = (input + 3).clamp(0, 6) / 6

    def backward(dy):
        dinput = torch.where(inside, dy / 6, 0)
        return dinput

    return y, backward


@rule(F.hardswish, samples=anywhere)
def hardswish(input, inplace=False):
    """x times its hard sigmoid: dy/dx is 0 to the left, 1 to the right, x/3 + ½ between.

    (Howard et al., 2019, arXiv:1905.02244.)
    """
    y = input * (input + 3).clamp(0, 6) / 6

    def backward(dy):
        slope = torch.where(input < 3, input / 3 + 0.5, 1)
        slope = torch.where(input <= -3, 0, slope)
        dinput = dy * slope
        return dinput

    return y, backward
