"""Running sums, products and the like along one dimension."""

import torch

from .broadcast import as_dtype
from .registry import rule, sample, spellings


def running_samples(make):
    yield sample(make(2, 5), 1)
    yield sample(make(4), dim=0)


def reversed_cumsum(dy, dim):
    """At each place the sum of what is there and behind it: the adjoint of a running sum."""
    return dy.flip(dim).cumsum(dim).flip(dim)


@rule(*spellings("cumsum"), samples=running_samples)
def cumsum(input, dim, *, dtype=None):
    """The running sum: each element receives from every sum that it went into."""
    y = torch.cumsum(input, dim, dtype=dtype)

    def backward(dy):
        dinput = reversed_cumsum(dy, dim)
        dinput = as_dtype(dinput, input.dtype)
        return dinput

    return y, backward


@rule(*spellings("logcumsumexp"), samples=running_samples)
def logcumsumexp(input, dim):
    """y = ln of the running sum of eˣ: ∂yⱼ/∂xᵢ = e^(xᵢ − yⱼ) for i ≤ j."""
    y = torch.logcumsumexp(input, dim)

    def backward(dy):
        if input.dim() == 0:  # a sum of one
            dinput = dy
        else:
            x = input.movedim(dim, -1).unsqueeze(-1)
            out = y.movedim(dim, -1).unsqueeze(-2)
            dout = dy.movedim(dim, -1).unsqueeze(-2)
            weights = (x - out).exp().triu()
            dinput = (weights * dout).sum(-1).movedim(-1, dim)
        return dinput

    return y, backward


@rule(*spellings("cumprod"), samples=running_samples)
def cumprod(input, dim, *, dtype=None):
    """The running product: ∂yⱼ/∂xᵢ is the product of the others up to j, for i ≤ j.

    With P the product of all before i, that is P times the running product of what comes
    after i; nothing is divided, so zeros do no harm.
    """
    x = input if dtype is None else input.to(dtype)
    y = torch.cumprod(x, dim)

    def backward(dy):
        row = x.movedim(dim, -1) if x.dim() else x.reshape(1)
        drow = dy.movedim(dim, -1) if x.dim() else dy.reshape(1)
        dparts = []
        before = torch.ones_like(row[..., 0]) if row.numel() else None
        for i in range(row.shape[-1] if row.numel() else 0):
            rest = row[..., i:].clone()
            rest[..., 0] = 1
            dparts.append((drow[..., i:] * rest.cumprod(-1)).sum(-1) * before)
            before = before * row[..., i]
        dinput = torch.stack(dparts, -1) if dparts else torch.zeros_like(row)
        dinput = dinput.movedim(-1, dim) if x.dim() else dinput.reshape(())
        dinput = as_dtype(dinput, input.dtype)
        return dinput

    return y, backward
