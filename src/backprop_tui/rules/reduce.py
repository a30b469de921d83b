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


def deviations(input, dim):
    """The input minus its mean over some dimensions."""
    return input - input.mean(dimensions(input, dim), keepdim=True) if input.dim() else input * 0


def spread(dim, unbiased, correction):
    """The reduced dimensions and Bessel's correction, of ``std(0)`` and ``std(False)`` alike."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if correction is None:
        correction = 1 if unbiased is None or unbiased else 0
    return dim, correction


@rule(*spellings("var"), samples=reductions)
def var(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """The variance Σ(x − μ)²/(n − 1): its derivative is 2(x − μ)/(n − 1)."""
    dim, correction = spread(dim, unbiased, correction)
    y = torch.var(input, dim, correction=correction, keepdim=keepdim)

    def backward(dy):
        dy = unreduce(dy, input, dim, keepdim)
        slope = 2 / freedom(input, dim, correction) * deviations(input, dim).conj()
        dinput = dy * slope
        return dinput

    return y, backward


def freedom(input, dim, correction):
    """The divisor of a variance, as a tensor so that 0 divides to infinity."""
    return input.new_tensor(max(count(input, dim) - correction, 0))


@rule(*spellings("std"), samples=reductions)
def std(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """The standard deviation y = √var: its derivative is (x − μ)/((n − 1)·y), 0 where y is."""
    dim, correction = spread(dim, unbiased, correction)
    y = torch.std(input, dim, correction=correction, keepdim=keepdim)

    def backward(dy):
        dvar = torch.where(y == 0, 0, dy / (2 * y))
        dvar = unreduce(dvar, input, dim, keepdim)
        slope = 2 / freedom(input, dim, correction) * deviations(input, dim).conj()
        dinput = dvar * slope
        return dinput

    return y, backward


@rule(torch.var_mean, samples=reductions)
def var_mean(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """The variance and the mean together; the input receives from both."""
    variance, var_backward = var(input, dim, unbiased, keepdim, correction=correction)
    dim, correction = spread(dim, unbiased, correction)
    average, mean_backward = mean(input, dim, keepdim)

    def backward(dvariance, daverage):
        from_variance = var_backward(dvariance)
        from_average = mean_backward(daverage)
        dinput = from_variance + from_average
        return dinput

    return (variance, average), backward


@rule(torch.std_mean, samples=reductions)
def std_mean(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """The standard deviation and the mean together; the input receives from both."""
    deviation, std_backward = std(input, dim, unbiased, keepdim, correction=correction)
    dim, correction = spread(dim, unbiased, correction)
    average, mean_backward = mean(input, dim, keepdim)

    def backward(ddeviation, daverage):
        from_deviation = std_backward(ddeviation)
        from_average = mean_backward(daverage)
        dinput = from_deviation + from_average
        return dinput

    return (deviation, average), backward


@rule(*spellings("nansum"), samples=reductions)
def nansum(input, dim=None, keepdim=False, *, dtype=None):
    """The sum of the elements that are not NaN."""
    y = torch.nansum(input, dim, keepdim, dtype=dtype)

    def backward(dy):
        dinput = torch.where(input.isnan(), 0, unreduce(dy, input, dim, keepdim))
        dinput = as_dtype(dinput, input.dtype)
        return dinput

    return y, backward


@rule(*spellings("nanmean"), samples=reductions)
def nanmean(input, dim=None, keepdim=False, *, dtype=None):
    """The mean of the elements that are not NaN."""
    y = torch.nanmean(input, dim, keepdim, dtype=dtype)

    def backward(dy):
        known = ~input.isnan()
        counted = known.sum(dimensions(input, dim), keepdim=keepdim)
        dinput = known * unreduce(dy / counted, input, dim, keepdim)
        dinput = as_dtype(dinput, input.dtype)
        return dinput

    return y, backward


def prod_samples(make):
    yield sample(make(2, 3))
    yield sample(make(2, 3), 1, keepdim=True)


@rule(*spellings("prod"), samples=prod_samples)
def prod(input, dim=None, keepdim=False, *, dtype=None):
    """The product: each element receives dy times the product of the others.

    That product is taken from both sides, not as y/x, so that zeros do no harm.
    """
    x = input if dtype is None else input.to(dtype)
    y = x.prod() if dim is None else x.prod(dim, keepdim)

    def backward(dy):
        along = 0 if dim is None or input.dim() == 0 else dim
        row = x.reshape(-1) if dim is None or input.dim() == 0 else x
        one = torch.ones_like(row.narrow(along, 0, min(1, row.shape[along])))
        size = max(row.shape[along] - 1, 0)
        before = torch.cat([one, row.narrow(along, 0, size)], along).cumprod(along)
        after = torch.cat([one, row.flip(along).narrow(along, 0, size)], along)
        after = after.cumprod(along).flip(along)
        drow = unreduce(dy, row, None if dim is None else dim, keepdim) * before * after
        dinput = as_dtype(drow.reshape(input.shape), input.dtype)
        return dinput

    return y, backward


@rule(torch.trace, Tensor.trace, samples=lambda make: [sample(make(3, 4))])
def trace(input):
    """The sum of a matrix's diagonal."""
    y = input.diagonal().sum()

    def backward(dy):
        dinput = torch.zeros_like(input)
        dinput.diagonal().copy_(dy)
        return dinput

    return y, backward
