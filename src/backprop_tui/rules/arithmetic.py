"""Sums, products, quotients and powers of tensors that broadcast against each other."""

import torch
from torch import Tensor

from .broadcast import unbroadcast
from .registry import rule, sample, spellings
from .samples import anywhere, pairs, positive_pairs


def scaled_pairs(make):
    yield from pairs(make)
    yield sample(make(2, 3), make(3), alpha=2.5)


@rule(*spellings("add"), Tensor.__radd__, samples=scaled_pairs)
def add(input, other, *, alpha=1):
    """The sum y = a + α·b: the cotangent passes to a as it is, and to b times α."""
    y = input + other if alpha == 1 else input + alpha * other

    def backward(dy):
        dinput = unbroadcast(dy, input)
        dother = unbroadcast(dy if alpha == 1 else dy * alpha, other)
        return dinput, dother

    return y, backward


@rule(*spellings("sub", "subtract"), samples=scaled_pairs)
def sub(input, other, *, alpha=1):
    """The difference y = a − α·b: ∂L/∂a = dy, ∂L/∂b = −α·dy."""
    y = input - other if alpha == 1 else input - alpha * other

    def backward(dy):
        dinput = unbroadcast(dy, input)
        dother = unbroadcast(-dy if alpha == 1 else -dy * alpha, other)
        return dinput, dother

    return y, backward


@rule(torch.rsub, Tensor.__rsub__, samples=scaled_pairs)
def rsub(input, other, *, alpha=1):
    """The reflected difference, y = b − α·a: ∂L/∂a = −α·dy, ∂L/∂b = dy."""
    y = other - input if alpha == 1 else other - alpha * input

    def backward(dy):
        dinput = unbroadcast(-dy if alpha == 1 else -dy * alpha, input)
        dother = unbroadcast(dy, other)
        return dinput, dother

    return y, backward


@rule(*spellings("mul", "multiply"), Tensor.__rmul__, samples=pairs)
def mul(input, other):
    """The product y = a·b: each factor receives dy times the other."""
    y = input * other

    def backward(dy):
        dinput = unbroadcast(dy * other, input)
        dother = unbroadcast(dy * input, other)
        return dinput, dother

    return y, backward


def div_samples(make):
    yield sample(make(2, 3), make.positive(3))
    yield sample(make(2, 3), 2.5)
    yield sample(make(2, 3), make.positive(3), rounding_mode="floor")


@rule(*spellings("div", "divide", "true_divide"), samples=div_samples)
def div(input, other, *, rounding_mode=None):
    """The quotient y = a/b: ∂y/∂a = 1/b, ∂y/∂b = −y/b. A rounded quotient is flat."""
    y = torch.div(input, other, rounding_mode=rounding_mode)

    def backward(dy):
        if rounding_mode is not None:
            dinput = unbroadcast(torch.zeros_like(dy), input)
            dother = unbroadcast(torch.zeros_like(dy), other)
        else:
            dinput = unbroadcast(dy / other, input)
            dother = unbroadcast(-dy * y / other, other)
        return dinput, dother

    return y, backward


@rule(Tensor.__rdiv__, samples=lambda make: [sample(make.positive(2, 3), 2.5)])
def rdiv(input, other):
    """The reflected quotient, y = b/a: ∂L/∂a = −Σ dy·b / a², over what a was broadcast to."""
    y = other / input

    def backward(dy):
        slope = (-dy * other).sum_to_size(input.shape) / (input * input)
        dinput = unbroadcast(slope, input)
        dother = unbroadcast(dy / input, other)
        return dinput, dother

    return y, backward


def pow_samples(make):
    yield sample(make(2, 3), 3)
    yield sample(make.positive(2, 3), -0.5)
    yield sample(make.positive(2, 3), make(3))
    yield sample(2.5, make(3))


@rule(*spellings("pow"), Tensor.__pow__, Tensor.__ipow__, samples=pow_samples)
def pow(input, exponent):
    """The power y = aᵇ: ∂y/∂a = b·aᵇ⁻¹ and ∂y/∂b = y·ln a.

    Where b is 0 the power is constant in a; where a is 0 and b ≥ 0 it is taken as
    constant in b, as it is beyond b = 0.
    """
    y = torch.pow(input, exponent)

    def backward(dy):
        dinput = None
        dexponent = None
        if isinstance(input, Tensor):
            dinput = unbroadcast(dy * power_slope(input, exponent), input)
        if isinstance(exponent, Tensor):
            base = torch.as_tensor(input, dtype=y.dtype, device=y.device)
            flat = (base == 0) & (exponent.real >= 0)
            dexponent = unbroadcast(torch.where(flat, 0, dy * y * base.log()), exponent)
        return dinput, dexponent

    return y, backward


def power_slope(base, exponent):
    """b·aᵇ⁻¹, and 0 where b is 0, even where a is 0 or infinite."""
    if not isinstance(exponent, Tensor):
        return exponent * base ** (exponent - 1) if exponent else torch.zeros_like(base)
    return torch.where(exponent == 0, 0, exponent * base ** (exponent - 1))


@rule(Tensor.__rpow__, samples=lambda make: [sample(make(2, 3), 2.5)])
def rpow(input, other):
    """The reflected power, y = bᵃ: ∂y/∂a = y·ln b."""
    y, reflected = pow(other, input)

    def backward(dy):
        dother, dinput = reflected(dy)
        return dinput, dother

    return y, backward


@rule(*spellings("square"), samples=anywhere)
def square(input):
    """y = x², dy/dx = 2x."""
    y = input * input

    def backward(dy):
        dinput = 2 * dy * input
        return dinput

    return y, backward


@rule(*spellings("neg", "negative"), samples=anywhere)
def neg(input):
    """y = −x, dy/dx = −1."""
    y = -input

    def backward(dy):
        dinput = -dy
        return dinput

    return y, backward


def three_samples(make):
    yield sample(make(2, 3), make(3), make.positive(2, 1), value=0.5)


@rule(*spellings("addcmul"), samples=three_samples)
def addcmul(input, tensor1, tensor2, *, value=1):
    """y = a + v·b·c: ∂L/∂a = dy, ∂L/∂b = v·dy·c, ∂L/∂c = v·dy·b."""
    y = input + value * tensor1 * tensor2

    def backward(dy):
        dinput = unbroadcast(dy, input)
        dtensor1 = unbroadcast(dy * value * tensor2, tensor1)
        dtensor2 = unbroadcast(dy * value * tensor1, tensor2)
        return dinput, dtensor1, dtensor2

    return y, backward


@rule(*spellings("addcdiv"), samples=three_samples)
def addcdiv(input, tensor1, tensor2, *, value=1):
    """y = a + v·b/c: ∂L/∂a = dy, ∂L/∂b = v·dy/c, ∂L/∂c = −v·dy·b/c²."""
    y = input + value * tensor1 / tensor2

    def backward(dy):
        dinput = unbroadcast(dy, input)
        dtensor1 = unbroadcast(dy * value / tensor2, tensor1)
        dtensor2 = unbroadcast(-dy * value * tensor1 / (tensor2 * tensor2), tensor2)
        return dinput, dtensor1, dtensor2

    return y, backward


def lerp_samples(make):
    yield sample(make(2, 3), make(3), 0.3)
    yield sample(make(2, 3), make(2, 3), make(3))


@rule(*spellings("lerp"), samples=lerp_samples)
def lerp(input, end, weight):
    """The way from a to b, y = a + w·(b − a): slopes 1 − w, w, and b − a in w."""
    y = torch.lerp(input, end, weight)

    def backward(dy):
        dinput = unbroadcast(dy * (1 - weight), input)
        dend = unbroadcast(dy * weight, end)
        dweight = unbroadcast(dy * (end - input), weight)
        return dinput, dend, dweight

    return y, backward


@rule(*spellings("fmod"), samples=positive_pairs)
def fmod(input, other):
    """What is left of a divided by b, rounded to 0: y = a − b·trunc(a/b).

    The quotient trunc(a/b) is flat: ∂y/∂a = 1, ∂y/∂b = −trunc(a/b).
    """
    y = torch.fmod(input, other)

    def backward(dy):
        dinput = unbroadcast(dy, input)
        dother = unbroadcast(-dy * torch.div(input, other, rounding_mode="trunc"), other)
        return dinput, dother

    return y, backward


@rule(*spellings("remainder"), samples=positive_pairs)
def remainder(input, other):
    """What is left of a divided by b, rounded down: y = a − b·floor(a/b).

    The quotient floor(a/b) is flat: ∂y/∂a = 1, ∂y/∂b = −floor(a/b).
    """
    y = torch.remainder(input, other)

    def backward(dy):
        dinput = unbroadcast(dy, input)
        dother = unbroadcast(-dy * torch.div(input, other, rounding_mode="floor"), other)
        return dinput, dother

    return y, backward


@rule(Tensor.__rmod__, samples=positive_pairs)
def rmod(input, other):
    """The reflected remainder, of b divided by a."""
    y, reflected = remainder(other, input)

    def backward(dy):
        dother, dinput = reflected(dy)
        return dinput, dother

    return y, backward


@rule(torch.float_power, Tensor.float_power, samples=pow_samples)
def float_power(input, exponent):
    """The power y = aᵇ in double precision: derived as pow, in the dtype of y."""
    y = torch.float_power(input, exponent)
    base = input.to(y.dtype) if isinstance(input, Tensor) else input
    raised = exponent.to(y.dtype) if isinstance(exponent, Tensor) else exponent
    _, powered = pow(base, raised)

    def backward(dy):
        dbase, draised = powered(dy)
        dinput = None if dbase is None else unbroadcast(dbase, input)
        dexponent = None if draised is None else unbroadcast(draised, exponent)
        return dinput, dexponent

    return y, backward
