"""Softmax, its logarithm, and the logarithm of a sum of exponentials.

All subtract the largest element first: exponentials of what is left cannot overflow.
"""

import math

import torch
import torch.nn.functional as F

from .reduce import unreduce
from .registry import rule, sample, spellings


def softmax_samples(make):
    yield sample(make(2, 3), dim=-1)
    yield sample(make(2, 3, 4), 1)
    yield sample(make(2, 3), dim=0, dtype=torch.float64)


def largest(input, dim):
    """The largest element over `dim`, kept at size 1; zeros where there is none."""
    if input.numel() == 0:
        return input.new_zeros(
            [1 if d == dim % input.dim() else n for d, n in enumerate(input.shape)]
        )
    return input.amax(dim, keepdim=True)


def implied(input, dim):
    """The dimension that torch.nn.functional picks where none is named."""
    if dim is not None:
        return dim
    return 0 if input.dim() in (0, 1, 3) else 1


@rule(*spellings("softmax"), torch.special.softmax, F.softmax, samples=softmax_samples)
def softmax(input, dim=None, _stacklevel=3, dtype=None):
    """Softmax, yᵢ = exp(xᵢ − m) / Σⱼ exp(xⱼ − m) over one dimension, with m the largest x.

    ∂yᵢ/∂xⱼ = yᵢ(δᵢⱼ − yⱼ), hence ∂L/∂x = y·(dy − Σ dy·y).
    """
    dim = implied(input, dim)
    y = torch.softmax(input, dim, dtype)

    def backward(dy):
        overlap = (dy * y).sum(dim, keepdim=True)
        dinput = (dy - overlap).mul_(y).to(input.dtype)
        return dinput

    return y, backward


@rule(F.softmin, samples=softmax_samples)
def softmin(input, dim=None, _stacklevel=3, dtype=None):
    """The softmax of −x."""
    negated = -input
    y, softmax_backward = softmax(negated, dim, dtype=dtype)

    def backward(dy):
        dnegated = softmax_backward(dy)
        dinput = -dnegated
        return dinput

    return y, backward


@rule(
    *spellings("log_softmax"),
    torch.special.log_softmax,
    F.log_softmax,
    samples=softmax_samples,
)
def log_softmax(input, dim=None, _stacklevel=3, dtype=None):
    """The logarithm of softmax, y = x − log Σ exp(x): ∂L/∂x = dy − softmax(x)·Σ dy."""
    dim = implied(input, dim)
    own = input.dtype
    if dtype is not None:
        input = input.to(dtype)
    shifted = input - largest(input, dim)
    y = shifted - shifted.exp().sum(dim, keepdim=True).log()

    def backward(dy):
        total = dy.sum(dim, keepdim=True)
        dinput = dy - y.exp() * total
        if dtype is not None:
            dinput = dinput.to(own)
        return dinput

    return y, backward


def masked_samples(make):
    yield sample(make(2, 3), 1)
    yield sample(make(2, 3).where(torch.tensor([[True], [False]]), -math.inf), 1)


@rule(torch.ops.aten._safe_softmax.default, samples=masked_samples)
def safe_softmax(input, dim, dtype=None):
    """softmax, but 0 where all of a row is −∞: attention to nothing."""
    y, softmax_backward = softmax(input, dim, dtype=dtype)
    nothing = (input == -math.inf).all(dim, keepdim=True)
    y = torch.where(nothing, 0, y)

    def backward(dy):
        dinput = torch.where(nothing, 0, softmax_backward(dy))
        return dinput

    return y, backward


def logsumexp_samples(make):
    yield sample(make(2, 3), 1)
    yield sample(make(2, 3, 4), (0, 2), keepdim=True)


@rule(*spellings("logsumexp"), torch.special.logsumexp, samples=logsumexp_samples)
def logsumexp(input, dim, keepdim=False):
    """y = log Σ exp(x): the gradient is the softmax of x times dy."""
    y = torch.logsumexp(input, dim, keepdim=keepdim)
    kept = unreduce(y, input, dim, keepdim)

    def backward(dy):
        weights = (input - kept).exp()
        dinput = weights * unreduce(dy, input, dim, keepdim)
        return dinput

    return y, backward
