"""The largest and the smallest, and orders: sort, topk, median, cumulative extremes.

All of them pick elements, so the cotangent goes back to where each was picked. Where
several are equally large, amax and amin share the cotangent out evenly among them; what
returns an index gives all of it to that one.
"""

import torch
from torch import Tensor

from .piecewise import maximum, minimum
from .reduce import dimensions, unreduce
from .registry import rule, sample, spellings
from .samples import anywhere


def shared(dy, y, input, dim, keepdim):
    """dy divided among the elements that equal the extreme. None equals NaN: 0/0, for them all."""
    hit = (input == unreduce(y, input, dim, keepdim)).to(dy.dtype)
    ties = hit.sum(dimensions(input, dim), keepdim=True) if input.dim() else hit
    return hit * (unreduce(dy, input, dim, keepdim) / ties)


def shared_by_all(dy, y, input):
    """dy divided among all elements that equal y; where y is NaN, among those that are NaN."""
    hit = (input == y) | (input.isnan() & y.isnan())
    return hit * (dy / hit.sum())


def amax_samples(make):
    yield sample(make(2, 3, 4), 1)
    yield sample(make(2, 3, 4), (0, -1), keepdim=True)


@rule(*spellings("amax"), samples=amax_samples)
def amax(input, dim=(), keepdim=False):
    """The largest element; equally large ones share the cotangent."""
    y = input.amax(dim, keepdim)

    def backward(dy):
        dinput = shared(dy, y, input, dim, keepdim)
        return dinput

    return y, backward


@rule(*spellings("amin"), samples=amax_samples)
def amin(input, dim=(), keepdim=False):
    """The smallest element; equally small ones share the cotangent."""
    y = input.amin(dim, keepdim)

    def backward(dy):
        dinput = shared(dy, y, input, dim, keepdim)
        return dinput

    return y, backward


@rule(*spellings("aminmax"), samples=lambda make: [sample(make(2, 3)), sample(make(2, 3), dim=1)])
def aminmax(input, *, dim=None, keepdim=False):
    """The smallest and the largest element."""
    low, high = torch.aminmax(input, dim=dim, keepdim=keepdim)

    def backward(dlow, dhigh):
        dinput = shared(dlow, low, input, dim, keepdim) + shared(dhigh, high, input, dim, keepdim)
        return dinput

    return (low, high), backward


def put_back(dy, index, input, dim, keepdim):
    """Zeros, with the cotangent of each picked element added where it was picked."""
    if input.dim() == 0:
        return dy.reshape(())
    if not keepdim:
        dy = dy.unsqueeze(dim)
        index = index.unsqueeze(dim)
    return torch.zeros_like(input).scatter_add(dim, index, dy)


def max_samples(make):
    yield sample(make(2, 3))
    yield sample(make(2, 3), 1)
    yield sample(make(2, 3), make(3))


@rule(*spellings("max"), samples=max_samples)
def max(input, dim=None, keepdim=False, *, other=None):
    """The largest of all; of each row, with its index; or of each pair (torch.maximum)."""
    other = dim if isinstance(dim, Tensor) else other
    if other is not None:
        return maximum(input, other)
    if dim is None:
        y = input.amax()
        picked = None
    else:
        y, picked = torch.max(input, dim, keepdim)

    def backward(dy, dindex=None):
        if picked is None:
            dinput = shared_by_all(dy, y, input)
        else:
            dinput = put_back(dy, picked, input, dim, keepdim)
        return dinput

    return (y if picked is None else (y, picked)), backward


@rule(*spellings("min"), samples=max_samples)
def min(input, dim=None, keepdim=False, *, other=None):
    """The smallest of all; of each row, with its index; or of each pair (torch.minimum)."""
    other = dim if isinstance(dim, Tensor) else other
    if other is not None:
        return minimum(input, other)
    if dim is None:
        y = input.amin()
        picked = None
    else:
        y, picked = torch.min(input, dim, keepdim)

    def backward(dy, dindex=None):
        if picked is None:
            dinput = shared_by_all(dy, y, input)
        else:
            dinput = put_back(dy, picked, input, dim, keepdim)
        return dinput

    return (y if picked is None else (y, picked)), backward


def middle_rule_samples(make):
    yield sample(make(2, 5))
    yield sample(make(2, 5), 1)


@rule(*spellings("median"), samples=middle_rule_samples)
def median(input, dim=None, keepdim=False):
    """The lower middle element of all, or of each row with its index."""
    if dim is None:
        y = torch.median(input)
        picked = None
    else:
        y, picked = torch.median(input, dim, keepdim)

    def backward(dy, dindex=None):
        if picked is None:
            dinput = shared_by_all(dy, y, input)
        else:
            dinput = put_back(dy, picked, input, dim, keepdim)
        return dinput

    return (y if picked is None else (y, picked)), backward


@rule(*spellings("nanmedian"), samples=middle_rule_samples)
def nanmedian(input, dim=None, keepdim=False):
    """The median of what is not NaN."""
    if dim is None:
        y = torch.nanmedian(input)
        picked = None
    else:
        y, picked = torch.nanmedian(input, dim, keepdim)

    def backward(dy, dindex=None):
        if picked is None:
            dinput = shared_by_all(dy, y, input)
        else:
            dinput = put_back(dy, picked, input, dim, keepdim)
        return dinput

    return (y if picked is None else (y, picked)), backward


@rule(*spellings("mode"), samples=anywhere)
def mode(input, dim=-1, keepdim=False):
    """The most frequent element of each row, with its index."""
    y, index = torch.mode(input, dim, keepdim)

    def backward(dy, dindex):
        dinput = put_back(dy, index, input, dim, keepdim)
        return dinput

    return (y, index), backward


@rule(*spellings("kthvalue"), samples=lambda make: [sample(make(2, 5), 2)])
def kthvalue(input, k, dim=-1, keepdim=False):
    """The k-th smallest element of each row, with its index."""
    y, index = torch.kthvalue(input, k, dim, keepdim)

    def backward(dy, dindex):
        dinput = put_back(dy, index, input, dim, keepdim)
        return dinput

    return (y, index), backward


@rule(*spellings("topk"), samples=lambda make: [sample(make(2, 5), 3)])
def topk(input, k, dim=-1, largest=True, sorted=True):
    """The k largest elements of each row, with their indices."""
    y, index = torch.topk(input, k, dim, largest, sorted)

    def backward(dy, dindex):
        dinput = put_back(dy, index, input, dim, True)
        return dinput

    return (y, index), backward


def sort_samples(make):
    yield sample(make(2, 5))
    yield sample(make(2, 5), 0, descending=True)


@rule(*spellings("sort"), samples=sort_samples)
def sort(input, dim=-1, descending=False, stable=False):
    """The elements of each row in order, with the indices they had."""
    y, index = torch.sort(input, dim=dim, descending=descending, stable=stable)

    def backward(dy, dindex):
        dinput = put_back(dy, index, input, dim, True)
        return dinput

    return (y, index), backward


@rule(*spellings("msort"), samples=anywhere)
def msort(input):
    """The elements in order along the first dimension; which of equal ones is first is open."""
    y, index = torch.sort(input, dim=0)

    def backward(dy):
        dinput = put_back(dy, index, input, 0, True)
        return dinput

    return y, backward


@rule(*spellings("cummax"), samples=lambda make: [sample(make(2, 5), 1)])
def cummax(input, dim):
    """The largest so far, with its index."""
    y, index = torch.cummax(input, dim)

    def backward(dy, dindex):
        dinput = put_back(dy, index, input, dim, True)
        return dinput

    return (y, index), backward


@rule(*spellings("cummin"), samples=lambda make: [sample(make(2, 5), 1)])
def cummin(input, dim):
    """The smallest so far, with its index."""
    y, index = torch.cummin(input, dim)

    def backward(dy, dindex):
        dinput = put_back(dy, index, input, dim, True)
        return dinput

    return (y, index), backward
