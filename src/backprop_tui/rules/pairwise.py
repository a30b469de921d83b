"""Functions of two tensors, element by element, beyond arithmetic."""

import math

import torch

from .broadcast import unbroadcast
from .registry import rule, sample, spellings
from .samples import pairs, positive_pairs


def tensor_pairs(make):
    yield sample(make(2, 3), make(2, 3))
    yield sample(make(2, 3), make(3))


@rule(*spellings("atan2", "arctan2"), samples=tensor_pairs)
def atan2(input, other):
    """The angle of the point (b, a): ∂/∂a = b/(a² + b²), ∂/∂b = −a/(a² + b²), taken as 0 at 0."""
    y = torch.atan2(input, other)

    def backward(dy):
        square = input * input + other * other
        slope = torch.where(square == 0, 0, dy / square)
        dinput = unbroadcast(slope * other, input)
        dother = unbroadcast(-slope * input, other)
        return dinput, dother

    return y, backward


@rule(*spellings("hypot"), samples=tensor_pairs)
def hypot(input, other):
    """The hypotenuse y = √(a² + b²): ∂y/∂a = a/y, ∂y/∂b = b/y."""
    y = torch.hypot(input, other)

    def backward(dy):
        dinput = unbroadcast(dy * (input / y), input)
        dother = unbroadcast(dy * (other / y), other)
        return dinput, dother

    return y, backward


@rule(*spellings("logaddexp"), samples=tensor_pairs)
def logaddexp(input, other):
    """y = ln(eᵃ + eᵇ): ∂y/∂a = σ(a − b), the share of a in the sum."""
    y = torch.logaddexp(input, other)

    def backward(dy):
        dinput = unbroadcast(dy * torch.sigmoid(input - other), input)
        dother = unbroadcast(dy * torch.sigmoid(other - input), other)
        return dinput, dother

    return y, backward


@rule(*spellings("logaddexp2"), samples=tensor_pairs)
def logaddexp2(input, other):
    """y = log₂(2ᵃ + 2ᵇ): each receives its share of the sum, ∂y/∂a = 1/(1 + 2^(b − a))."""
    y = torch.logaddexp2(input, other)

    def backward(dy):
        dinput = unbroadcast(dy / (1 + torch.exp2(other - input)), input)
        dother = unbroadcast(dy / (1 + torch.exp2(input - other)), other)
        return dinput, dother

    return y, backward


@rule(*spellings("copysign"), samples=pairs)
def copysign(input, other):
    """|a| with the sign of b: dy keeps or changes its sign as a did, and is 0 where a is.

    b moves nothing, but for the jump at its 0.
    """
    y = torch.copysign(input, other)

    def backward(dy):
        kept = torch.where(input == 0, 0, y / input)
        dinput = unbroadcast(dy * kept, input)
        dother = unbroadcast(torch.zeros_like(dy), other)
        return dinput, dother

    return y, backward


@rule(*spellings("ldexp"), samples=tensor_pairs)
def ldexp(input, other):
    """y = a·2ᵇ: ∂y/∂a = 2ᵇ, ∂y/∂b = y·ln 2.

    Autograd is wrong here where b is a negative integer (torch 2.13): its 2ᵇ is an integer too, 0.
    """
    y = torch.ldexp(input, other)

    def backward(dy):
        dinput = unbroadcast(torch.ldexp(dy, other), input)
        dother = unbroadcast(dy * y * math.log(2), other)
        return dinput, dother

    return y, backward


@rule(*spellings("frexp"), samples=lambda make: [sample(make(2, 3))])
def frexp(input):
    """x = m·2ᵉ with |m| in [½, 1) and an integer e: m moves as x·2⁻ᵉ, and e does not move."""
    mantissa, exponent = torch.frexp(input)

    def backward(dmantissa, dexponent):
        dinput = torch.ldexp(dmantissa, -exponent)
        return dinput

    return (mantissa, exponent), backward


@rule(*spellings("xlogy"), torch.special.xlogy, samples=positive_pairs)
def xlogy(input, other):
    """y = a·ln b, and 0 where a is 0: ∂y/∂a = ln b, ∂y/∂b = a/b."""
    y = torch.xlogy(input, other)

    def backward(dy):
        log = torch.as_tensor(other, dtype=y.dtype, device=y.device).log()
        flat = (input == 0) & (other <= 0)
        dinput = unbroadcast(torch.where(flat, 0, dy * log), input)
        dother = unbroadcast(dy * (input / other), other)
        return dinput, dother

    return y, backward


@rule(torch.special.xlog1py, samples=positive_pairs)
def xlog1py(input, other):
    """y = a·ln(1 + b), and 0 where a is 0: ∂y/∂a = ln(1 + b), ∂y/∂b = a/(1 + b)."""
    y = torch.special.xlog1py(input, other)

    def backward(dy):
        log = torch.as_tensor(other, dtype=y.dtype, device=y.device).log1p()
        flat = (input == 0) & (other <= -1)
        dinput = unbroadcast(torch.where(flat, 0, dy * log), input)
        dother = unbroadcast(dy * (input / (1 + other)), other)
        return dinput, dother

    return y, backward
