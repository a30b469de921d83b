"""Rescalings: a weight to a learned length, a response by those of the channels beside it."""

import torch
import torch.nn.functional as F

from .broadcast import as_dtype
from .norm import over_all_but
from .registry import rule, sample


def weight_norm_samples(make):
    yield sample(make(4, 3), make(4, 1))
    yield sample(make(4, 3, 2), make(1, 3, 1), 1)


@rule(torch._weight_norm, samples=weight_norm_samples)
def weight_norm(v, g, dim=0):
    """A weight as its length and direction, w = g·v/‖v‖ (Salimans and Kingma, 2016).

    With v̂ = v/‖v‖: ∂L/∂g = Σ dw·v̂ and ∂L/∂v = (g·dw − v̂·Σ g·dw·v̂)/‖v‖.
    """
    dims = over_all_but(v, dim % v.dim()) if dim != -1 else list(range(v.dim()))
    length = torch.linalg.vector_norm(v, dim=dims, keepdim=True)
    direction = v / length
    y = g * direction

    def backward(dy):
        along = (dy * direction).sum(dims, keepdim=True)
        radial = (g * along).real * direction.conj()
        dv = as_dtype((g * dy - radial) / length, v.dtype)
        dg = as_dtype(along.reshape(g.shape), g.dtype)
        return dv, dg

    return y, backward


def neighbours(input, size):
    """The matrix that averages the squares of `size` channels around each; others are 0."""
    channels = torch.arange(input.shape[1], device=input.device)
    apart = channels - channels.unsqueeze(1)
    return ((apart >= -(size // 2)) & (apart <= (size - 1) // 2)).to(input.dtype) / size


def response_samples(make):
    yield sample(make(2, 4, 3), 3, alpha=0.5)
    yield sample(make(2, 5, 3, 2), 2, 0.3, 0.6, 2.0)


@rule(F.local_response_norm, samples=response_samples)
def local_response_norm(input, size, alpha=1e-4, beta=0.75, k=1.0):
    """y = x/(k + α·mean of x² over neighbouring channels)^β (Krizhevsky et al., 2012)."""
    matrix = neighbours(input, size)
    energy = torch.einsum("cj,nj...->nc...", matrix, input * input)
    base = k + alpha * energy
    y = input / base**beta

    def backward(dy):
        dbase = -beta * dy * y / base
        denergy = alpha * dbase
        dsquare = torch.einsum("cj,nc...->nj...", matrix, denergy)
        dinput = dy / base**beta + 2 * input * dsquare
        return dinput

    return y, backward
