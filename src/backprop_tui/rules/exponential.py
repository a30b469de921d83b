"""Exponentials, logarithms and roots of each element: ∂L/∂x = dy · f′(x).

The same for complex numbers: f is differentiable there, and a cotangent is plain algebra.
"""

import math

import torch

from .registry import rule, spellings
from .samples import anywhere, positive


@rule(*spellings("exp"), samples=anywhere)
def exp(input):
    """y = eˣ, dy/dx = y."""
    y = input.exp()

    def backward(dy):
        dinput = dy * y
        return dinput

    return y, backward


@rule(*spellings("exp2"), torch.special.exp2, samples=anywhere)
def exp2(input):
    """y = 2ˣ, dy/dx = y · ln 2."""
    y = torch.exp2(input)

    def backward(dy):
        dinput = dy * y * math.log(2)
        return dinput

    return y, backward


@rule(*spellings("expm1"), torch.special.expm1, samples=anywhere)
def expm1(input):
    """y = eˣ − 1 without cancellation, dy/dx = y + 1."""
    y = torch.expm1(input)

    def backward(dy):
        dinput = dy * (y + 1)
        return dinput

    return y, backward


@rule(*spellings("log"), samples=positive)
def log(input):
    """y = ln x, dy/dx = 1/x."""
    y = input.log()

    def backward(dy):
        dinput = dy / input
        return dinput

    return y, backward


@rule(*spellings("log2"), samples=positive)
def log2(input):
    """y = log₂ x, dy/dx = 1/(x · ln 2)."""
    y = input.log2()

    def backward(dy):
        dinput = dy / (input * math.log(2))
        return dinput

    return y, backward


@rule(*spellings("log10"), samples=positive)
def log10(input):
    """y = log₁₀ x, dy/dx = 1/(x · ln 10)."""
    y = input.log10()

    def backward(dy):
        dinput = dy / (input * math.log(10))
        return dinput

    return y, backward


@rule(*spellings("log1p"), torch.special.log1p, samples=positive)
def log1p(input):
    """y = ln(1 + x) without cancellation, dy/dx = 1/(1 + x)."""
    y = torch.log1p(input)

    def backward(dy):
        dinput = dy / (1 + input)
        return dinput

    return y, backward


@rule(*spellings("sqrt"), samples=positive)
def sqrt(input):
    """y = √x, dy/dx = 1/(2y)."""
    y = input.sqrt()

    def backward(dy):
        dinput = dy / (2 * y)
        return dinput

    return y, backward


@rule(*spellings("rsqrt"), samples=positive)
def rsqrt(input):
    """y = 1/√x, dy/dx = −y³/2."""
    y = input.rsqrt()

    def backward(dy):
        dinput = -0.5 * dy * y * y * y
        return dinput

    return y, backward


@rule(*spellings("reciprocal"), samples=positive)
def reciprocal(input):
    """y = 1/x, dy/dx = −y²."""
    y = 1 / input

    def backward(dy):
        dinput = -dy * y * y
        return dinput

    return y, backward
