"""Reductions: sums, means, products, spreads and extremes over some dimensions."""

import math

import torch
from torch import Tensor

from .broadcast import as_dtype
from .registry import rule, sample, spellings
from .samples import reductions


def dimensions(input, dim):
    """The dimensions that `dim` names, as numbers from 0 up; all of them for None or ()."""
    if dim is None or dim == () or dim == []:
        return tuple(range(input.dim()))
    named = (dim,) if isinstance(dim, int) else dim
    return tuple(d % max(input.dim(), 1) for d in named)


def unreduce(reduced, input, dim, keepdim):
    """A reduced tensor with its lost dimensions put back at size 1."""
    if keepdim or input.dim() == 0:
        return reduced
    lost = dimensions(input, dim)
    return reduced.reshape([1 if d in lost else n for d, n in enumerate(input.shape)])


def count(input, dim):
    """How many elements go into one element of the reduction."""
    return math.prod(input.shape[d] for d in dimensions(input, dim)) if input.dim() else 1


@rule(*spellings("sum"), samples=reductions)
def sum(input, dim=None, keepdim=False, *, dtype=None):
    """The sum: every element receives the cotangent of the sum it went into."""
    y = torch.sum(input, dim, keepdim, dtype=dtype)

    def backward(dy):
        dinput = unreduce(dy, input, dim, keepdim).expand_as(input)
        dinput = as_dtype(dinput, input.dtype)
        return dinput

    return y, backward


@rule(*spellings("mean"), samples=reductions)
def mean(input, dim=None, keepdim=False, *, dtype=None):
    """The mean of n elements: each receives dy/n."""
    y = torch.mean(input, dim, keepdim, dtype=dtype)

    def backward(dy):
        dy = dy / count(input, dim)
        dinput = unreduce(dy, input, dim, keepdim).expand_as(input)
        dinput = as_dtype(dinput, input.dtype)
        return dinput

    return y, backward
