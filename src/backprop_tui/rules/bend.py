"""Smooth activations: sigmoid, tanh, gelu and the like. Each passes dy · slope."""

import math

import torch
import torch.nn.functional as F

from .registry import rule, sample, spellings
from .samples import anywhere


@rule(*spellings("sigmoid"), F.sigmoid, torch.special.expit, samples=anywhere)
def sigmoid(input):
    """The logistic function, y = 1/(1 + e⁻ˣ), dy/dx = y(1 − y)."""
    y = torch.sigmoid(input)

    def backward(dy):
        dinput = dy * y * (1 - y)
        return dinput

    return y, backward


@rule(*spellings("tanh"), F.tanh, samples=anywhere)
def tanh(input):
    """The hyperbolic tangent, dy/dx = 1 − y²."""
    y = input.tanh()

    def backward(dy):
        dinput = dy * (1 - y * y)
        return dinput

    return y, backward


@rule(F.silu, samples=anywhere)
def silu(input, inplace=False):
    """y = x·σ(x), dy/dx = σ + xσ(1 − σ) = y + σ(1 − y) (Elfwing et al., 2017, arXiv:1702.03118)."""
    sigma = torch.sigmoid(input)
    y = input * sigma

    def backward(dy):
        one = y.new_ones(())
        slope = torch.lerp(y, one, sigma)
        dinput = slope.mul_(dy)
        return dinput

    return y, backward


def gelu_samples(make):
    yield sample(make(2, 3))
    yield sample(make(2, 3), approximate="tanh")


@rule(F.gelu, samples=gelu_samples)
def gelu(input, approximate="none"):
    """y = x·Φ(x), with the normal distribution Φ and its density φ: dy/dx = Φ(x) + x·φ(x).

    The approximate form has Φ(x) ≈ σ(u), u = 2√(2/π)(x + 0.044715x³), where
    2σ(u) = 1 + tanh(u/2) (Hendrycks and Gimpel, 2016, arXiv:1606.08415); its φ is σ′(u)·u′.
    """
    if approximate == "tanh":
        steepness = 2 * math.sqrt(2 / math.pi)
        square = input.square()
        u = steepness * torch.addcmul(input, input, square, value=0.044715)
        probability = torch.sigmoid(u)
    else:
        probability = torch.erf(input * math.sqrt(0.5)).add_(1).div_(2)
    y = input * probability

    def backward(dy):
        if approximate == "tanh":
            du = steepness + (3 * 0.044715 * steepness) * square
            density = torch.addcmul(probability, probability, probability, value=-1) * du
            slope = torch.addcmul(probability, input, density)
        else:
            bell = input.square().mul_(-0.5 / math.log(2)).exp2_()  # e^(−x²/2), in half the time
            slope = torch.addcmul(probability, input, bell, value=1 / math.sqrt(2 * math.pi))
        dinput = slope.mul_(dy)
        return dinput

    return y, backward


def softplus_samples(make):
    yield sample(make(2, 3))
    yield sample(make(2, 3), beta=3.0, threshold=1.0)


@rule(F.softplus, samples=softplus_samples)
def softplus(input, beta=1.0, threshold=20.0):
    """A smooth relu, y = ln(1 + e^(βx))/β: dy/dx = σ(βx). Beyond the threshold, y = x."""
    scaled = beta * input
    straight = scaled > threshold
    y = torch.where(straight, input, scaled.exp().log1p() / beta)

    def backward(dy):
        slope = torch.where(straight, 1, torch.sigmoid(scaled))
        dinput = dy * slope
        return dinput

    return y, backward


@rule(F.logsigmoid, samples=anywhere)
def logsigmoid(input):
    """y = ln σ(x) = min(x, 0) − ln(1 + e^(−|x|)): dy/dx = σ(−x)."""
    y = input.clamp(max=0) - (-input.abs()).exp().log1p()

    def backward(dy):
        slope = torch.sigmoid(-input)
        dinput = dy * slope
        return dinput

    return y, backward


@rule(F.mish, samples=anywhere)
def mish(input, inplace=False):
    """y = x·tanh(softplus x): with t the tanh, dy/dx = t + x·σ(x)·(1 − t²).

    (Misra, 2019, arXiv:1908.08681.)
    """
    gate = F.softplus(input).tanh()
    y = input * gate

    def backward(dy):
        slope = gate + input * torch.sigmoid(input) * (1 - gate * gate)
        dinput = dy * slope
        return dinput

    return y, backward


@rule(F.softsign, samples=anywhere)
def softsign(input):
    """y = x/(1 + |x|), dy/dx = 1/(1 + |x|)². Of a complex x, |x| takes the part along x."""
    width = 1 + input.abs()
    y = input / width

    def backward(dy):
        if input.is_complex():
            dwidth = -(dy * y).real / width
            dinput = dy / width + dwidth * input.sgn().conj()
        else:
            dinput = dy / (width * width)
        return dinput

    return y, backward


@rule(F.tanhshrink, samples=anywhere)
def tanhshrink(input):
    """y = x − tanh x, dy/dx = tanh² x."""
    tanh = input.tanh()
    y = input - tanh

    def backward(dy):
        dinput = dy * tanh * tanh
        return dinput

    return y, backward


@rule(F.elu, F.elu_, samples=lambda make: [sample(make(2, 3), alpha=1.5)])
def elu(input, alpha=1.0, inplace=False):
    """y = x above 0, α(eˣ − 1) below: dy/dx = 1 above, αeˣ below, at 0 too.

    (Clevert et al., 2015, arXiv:1511.07289.)
    """
    bent = alpha * torch.expm1(input.clamp(max=0))
    y = torch.where(input <= 0, bent, input)

    def backward(dy):
        slope = torch.where(input <= 0, bent + alpha, 1)
        dinput = dy * slope
        return dinput

    return y, backward


@rule(*spellings("selu"), F.selu, samples=anywhere)
def selu(input, inplace=False):
    """The scaled elu whose layers keep mean 0 and variance 1: its slope is the elu's, scaled.

    (Klambauer et al., 2017, arXiv:1706.02515.)
    """
    alpha = 1.6732632423543772848170429916717
    scale = 1.0507009873554804934193349852946
    bent = alpha * torch.expm1(input.clamp(max=0))
    y = scale * torch.where(input <= 0, bent, input)

    def backward(dy):
        slope = scale * torch.where(input <= 0, bent + alpha, 1)
        dinput = dy * slope
        return dinput

    return y, backward


@rule(*spellings("celu"), F.celu, samples=lambda make: [sample(make(2, 3), alpha=1.5)])
def celu(input, alpha=1.0, inplace=False):
    """y = x above 0, α(e^(x/α) − 1) below: dy/dx = 1 above, e^(x/α) below.

    (Barron, 2017, arXiv:1704.07483.)
    """
    bent = torch.expm1(input.clamp(max=0) / alpha)
    y = torch.where(input <= 0, alpha * bent, input)

    def backward(dy):
        slope = torch.where(input <= 0, bent + 1, 1)
        dinput = dy * slope
        return dinput

    return y, backward


def glu_samples(make):
    yield sample(make(2, 6))
    yield sample(make(4, 3), dim=0)


@rule(F.glu, samples=glu_samples)
def glu(input, dim=-1):
    """One half of x gated by the other, y = a·σ(b): ∂L/∂a = dy·σ(b), ∂L/∂b = dy·a·σ′(b).

    (Dauphin et al., 2016, arXiv:1612.08083.)
    """
    half = input.shape[dim] // 2
    a = input.narrow(dim, 0, half)
    b = input.narrow(dim, half, half)
    gate = torch.sigmoid(b)
    y = a * gate

    def backward(dy):
        da = dy * gate
        db = dy * a * gate * (1 - gate)
        dinput = torch.cat([da, db], dim)
        return dinput

    return y, backward
