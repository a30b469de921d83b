"""Trigonometric and hyperbolic functions of each element: ∂L/∂x = dy · f′(x).

Derivatives are those of the NIST Digital Library of Mathematical Functions: 4.20 and 4.24 for the
circle and its inverses, 4.34 and 4.38 for the hyperbola. They hold for complex numbers, too.
"""

import math

import torch

from .registry import rule, sample, spellings
from .samples import anywhere, inside_one


def above_one(make):
    yield sample(1 + make.positive(2, 3))


@rule(*spellings("sin"), samples=anywhere)
def sin(input):
    """y = sin x, dy/dx = cos x."""
    y = input.sin()

    def backward(dy):
        dinput = dy * input.cos()
        return dinput

    return y, backward


@rule(*spellings("cos"), samples=anywhere)
def cos(input):
    """y = cos x, dy/dx = −sin x."""
    y = input.cos()

    def backward(dy):
        dinput = -dy * input.sin()
        return dinput

    return y, backward


@rule(*spellings("tan"), samples=inside_one)
def tan(input):
    """y = tan x, dy/dx = 1 + y²."""
    y = input.tan()

    def backward(dy):
        dinput = dy * (1 + y * y)
        return dinput

    return y, backward


@rule(*spellings("asin", "arcsin"), samples=inside_one)
def asin(input):
    """y = arcsin x, dy/dx = 1/√(1 − x²)."""
    y = input.asin()

    def backward(dy):
        dinput = dy * (1 - input * input).rsqrt()
        return dinput

    return y, backward


@rule(*spellings("acos", "arccos"), samples=inside_one)
def acos(input):
    """y = arccos x, dy/dx = −1/√(1 − x²)."""
    y = input.acos()

    def backward(dy):
        dinput = -dy * (1 - input * input).rsqrt()
        return dinput

    return y, backward


@rule(*spellings("atan", "arctan"), samples=anywhere)
def atan(input):
    """y = arctan x, dy/dx = 1/(1 + x²)."""
    y = input.atan()

    def backward(dy):
        dinput = dy / (1 + input * input)
        return dinput

    return y, backward


@rule(*spellings("sinh"), samples=anywhere)
def sinh(input):
    """y = sinh x, dy/dx = cosh x."""
    y = input.sinh()

    def backward(dy):
        dinput = dy * input.cosh()
        return dinput

    return y, backward


@rule(*spellings("cosh"), samples=anywhere)
def cosh(input):
    """y = cosh x, dy/dx = sinh x."""
    y = input.cosh()

    def backward(dy):
        dinput = dy * input.sinh()
        return dinput

    return y, backward


@rule(*spellings("asinh", "arcsinh"), samples=anywhere)
def asinh(input):
    """y = arsinh x, dy/dx = 1/√(x² + 1)."""
    y = input.asinh()

    def backward(dy):
        dinput = dy * (input * input + 1).rsqrt()
        return dinput

    return y, backward


@rule(*spellings("acosh", "arccosh"), samples=above_one)
def acosh(input):
    """y = arcosh x, dy/dx = 1/(√(x − 1)·√(x + 1))."""
    y = input.acosh()

    def backward(dy):
        dinput = dy * ((input - 1).rsqrt() * (input + 1).rsqrt())
        return dinput

    return y, backward


@rule(*spellings("atanh", "arctanh"), samples=inside_one)
def atanh(input):
    """y = artanh x, dy/dx = 1/(1 − x²)."""
    y = input.atanh()

    def backward(dy):
        dinput = dy / (1 - input * input)
        return dinput

    return y, backward


@rule(*spellings("sinc"), torch.special.sinc, samples=anywhere)
def sinc(input):
    """y = sin(πx)/(πx), and 1 at 0: dy/dx = (cos(πx) − y)/x."""
    y = torch.sinc(input)

    def backward(dy):
        slope = ((math.pi * input).cos() - y) / input
        dinput = dy * torch.where(input == 0, 0, slope)
        return dinput

    return y, backward


@rule(*spellings("deg2rad"), samples=anywhere)
def deg2rad(input):
    """y = x · π/180, a constant slope."""
    y = torch.deg2rad(input)

    def backward(dy):
        dinput = dy * (math.pi / 180)
        return dinput

    return y, backward


@rule(*spellings("rad2deg"), samples=anywhere)
def rad2deg(input):
    """y = x · 180/π, a constant slope."""
    y = torch.rad2deg(input)

    def backward(dy):
        dinput = dy * (180 / math.pi)
        return dinput

    return y, backward
