"""Special functions of each element: ∂L/∂x = dy · f′(x).

Derivatives are those of the NIST Digital Library of Mathematical Functions: the gamma function
and its kin in chapter 5, the error function in 7.10, modified Bessel functions in 10.29.
"""

import math

import torch
from torch import Tensor

from .registry import rule, sample, spellings
from .samples import anywhere, inside_one, positive


def inside_half(make):
    yield sample(0.1 + 0.4 * make.positive(2, 3))


@rule(*spellings("erf"), torch.special.erf, samples=anywhere)
def erf(input):
    """y = 2/√π ∫₀ˣ e^(−t²) dt, dy/dx = 2/√π · e^(−x²)."""
    y = torch.erf(input)

    def backward(dy):
        slope = 2 / math.sqrt(math.pi) * (-input * input).exp()
        dinput = dy * slope
        return dinput

    return y, backward


@rule(*spellings("erfc"), torch.special.erfc, samples=anywhere)
def erfc(input):
    """y = 1 − erf x, dy/dx = −2/√π · e^(−x²)."""
    y = torch.erfc(input)

    def backward(dy):
        slope = -2 / math.sqrt(math.pi) * (-input * input).exp()
        dinput = dy * slope
        return dinput

    return y, backward


@rule(*spellings("erfinv"), torch.special.erfinv, samples=inside_one)
def erfinv(input):
    """The inverse of erf: dy/dx = √π/2 · e^(y²)."""
    y = torch.erfinv(input)

    def backward(dy):
        slope = 0.5 * math.sqrt(math.pi) * (y * y).exp()
        dinput = dy * slope
        return dinput

    return y, backward


@rule(torch.special.erfcx, samples=anywhere)
def erfcx(input):
    """y = e^(x²) · erfc x, dy/dx = 2xy − 2/√π."""
    y = torch.special.erfcx(input)

    def backward(dy):
        slope = 2 * input * y - 2 / math.sqrt(math.pi)
        dinput = dy * slope
        return dinput

    return y, backward


@rule(torch.special.ndtr, samples=anywhere)
def ndtr(input):
    """The normal distribution Φ: dy/dx = e^(−x²/2)/√(2π)."""
    y = torch.special.ndtr(input)

    def backward(dy):
        density = (-0.5 * input * input).exp() / math.sqrt(2 * math.pi)
        dinput = dy * density
        return dinput

    return y, backward


@rule(torch.special.log_ndtr, samples=anywhere)
def log_ndtr(input):
    """y = ln Φ(x): dy/dx = √(2/π) / erfcx(−x/√2)."""
    y = torch.special.log_ndtr(input)

    def backward(dy):
        slope = math.sqrt(2 / math.pi) / torch.special.erfcx(-input / math.sqrt(2))
        dinput = dy * slope
        return dinput

    return y, backward


@rule(torch.special.ndtri, samples=inside_half)
def ndtri(input):
    """The inverse of Φ: dy/dx = √(2π) · e^(y²/2)."""
    y = torch.special.ndtri(input)

    def backward(dy):
        slope = math.sqrt(2 * math.pi) * (0.5 * y * y).exp()
        dinput = dy * slope
        return dinput

    return y, backward


@rule(torch.special.entr, samples=positive)
def entr(input):
    """y = −x · ln x: dy/dx = −1 − ln x."""
    y = torch.special.entr(input)

    def backward(dy):
        slope = -1 - input.log()
        dinput = dy * slope
        return dinput

    return y, backward


@rule(*spellings("lgamma"), torch.special.gammaln, samples=positive)
def lgamma(input):
    """y = ln Γ(x): dy/dx = ψ(x), the digamma function."""
    y = torch.lgamma(input)

    def backward(dy):
        dinput = dy * torch.digamma(input)
        return dinput

    return y, backward


@rule(*spellings("digamma"), torch.special.digamma, torch.special.psi, samples=positive)
def digamma(input):
    """The digamma function y = ψ(x) = Γ′(x)/Γ(x): dy/dx = ψ′(x)."""
    y = torch.digamma(input)

    def backward(dy):
        dinput = dy * torch.polygamma(1, input)
        return dinput

    return y, backward


@rule(*spellings("i0"), torch.special.i0, samples=anywhere)
def i0(input):
    """The modified Bessel function I₀: dy/dx = I₁(x)."""
    y = torch.special.i0(input)

    def backward(dy):
        dinput = dy * torch.special.i1(input)
        return dinput

    return y, backward


@rule(torch.special.i0e, samples=anywhere)
def i0e(input):
    """y = e^(−|x|) · I₀(x): dy/dx = e^(−|x|) · I₁(x) − sign(x) · y."""
    y = torch.special.i0e(input)

    def backward(dy):
        slope = torch.special.i1e(input) - input.sign() * y
        dinput = dy * slope
        return dinput

    return y, backward


@rule(torch.special.i1, samples=anywhere)
def i1(input):
    """The modified Bessel function I₁: dy/dx = I₀(x) − y/x, and ½ at 0."""
    y = torch.special.i1(input)

    def backward(dy):
        slope = torch.special.i0(input) - y / input
        dinput = dy * torch.where(input == 0, 0.5, slope)
        return dinput

    return y, backward


@rule(torch.special.i1e, samples=anywhere)
def i1e(input):
    """y = e^(−|x|) · I₁(x): dy/dx = e^(−|x|) · I₀(x) − y · (sign x + 1/x), and ½ at 0."""
    y = torch.special.i1e(input)

    def backward(dy):
        slope = torch.special.i0e(input) - y * input.sign() - y / input
        dinput = dy * torch.where(input == 0, 0.5, slope)
        return dinput

    return y, backward


@rule(*spellings("logit"), torch.special.logit, samples=inside_half)
def logit(input, eps=None):
    """y = ln(x / (1 − x)), of x first clamped to [ε, 1 − ε]: dy/dx = 1/(x(1 − x))."""
    y = torch.logit(input, eps)

    def backward(dy):
        slope = 1 / (input * (1 - input))
        outside = (input < (eps or 0)) | (input > 1 - (eps or 0))
        dinput = torch.where(outside, math.nan if eps is None else 0, dy * slope)
        return dinput

    return y, backward


@rule(
    *spellings("mvlgamma"),
    torch.special.multigammaln,
    samples=lambda make: [sample(2 + make.positive(2, 3), 3)],
)
def mvlgamma(input, p):
    """The multivariate log-gamma: the sum of ln Γ(x − j/2) over j < p, and a constant."""
    shifts = torch.arange(1 - p, 1, device=input.device, dtype=input.dtype) / 2
    shifted = input.unsqueeze(-1) + shifts
    y = torch.lgamma(shifted).sum(-1) + p * (p - 1) / 4 * math.log(math.pi)

    def backward(dy):
        slope = torch.digamma(shifted).sum(-1)
        dinput = dy * slope
        return dinput

    return y, backward


def polygamma_samples(make):
    yield sample(1, make.positive(2, 3))


@rule(torch.polygamma, torch.special.polygamma, samples=polygamma_samples)
def polygamma(n, input):
    """The n-th derivative of ψ; its own is the next one."""
    y = torch.polygamma(n, input)

    def backward(dy):
        dinput = dy * torch.polygamma(n + 1, input)
        return None, dinput

    return y, backward


@rule(Tensor.polygamma, Tensor.polygamma_, samples=lambda make: [sample(make.positive(2, 3), 1)])
def tensor_polygamma(input, n):
    """As torch.polygamma, called on the tensor."""
    y = torch.polygamma(n, input)

    def backward(dy):
        dinput = dy * torch.polygamma(n + 1, input)
        return dinput

    return y, backward
