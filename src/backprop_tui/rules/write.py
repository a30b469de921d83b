"""Elements written by index or mask: what was overwritten receives nothing."""

import torch
from torch import Tensor

from .broadcast import unbroadcast
from .registry import rule, sample, spellings


def setitem_samples(make):
    yield sample(make(3, 4), (slice(None), slice(1, 3)), make(2))
    yield sample(make(3, 4), torch.tensor([0, 2]), make(4))
    yield sample(make(3, 4), 1, 2.0)


@rule(Tensor.__setitem__, samples=setitem_samples)
def setitem(input, index, value):
    """x[index] = value: the old elements there are gone, so their cotangent goes to value."""
    y = input.clone()
    y[index] = value

    def backward(dy):
        dvalue = unbroadcast_leading(dy[index], value)
        dinput = dy.clone()
        dinput[index] = 0
        return dinput, None, dvalue

    return y, backward


def unbroadcast_leading(cotangent, value):
    """As unbroadcast; an assigned value may also have more leading dimensions of size 1."""
    if isinstance(value, Tensor) and value.dim() > cotangent.dim():
        cotangent = cotangent.reshape([1] * (value.dim() - cotangent.dim()) + list(cotangent.shape))
    return unbroadcast(cotangent, value)


@rule(*spellings("copy_"), samples=lambda make: [sample(make(3, 4), make(4))])
def copy_(input, src, non_blocking=False):
    """x.copy_(src): everything that x was is gone."""
    y = src.to(input.dtype).expand_as(input)

    def backward(dy):
        dinput = torch.zeros_like(dy)
        dsrc = unbroadcast(dy, src)
        return dinput, dsrc

    return y, backward


def fill_samples(make):
    yield sample(make(3, 4), 2.0)
    yield sample(make(3, 4), make())


@rule(*spellings("fill"), samples=fill_samples)
def fill(input, value):
    """Every element replaced by one number."""
    y = torch.full_like(input, value)

    def backward(dy):
        dinput = torch.zeros_like(dy)
        dvalue = unbroadcast(dy, value)
        return dinput, dvalue

    return y, backward


@rule(Tensor.zero_, torch.zero_, samples=lambda make: [sample(make(3, 4))])
def zero_(input):
    """Every element replaced by 0: nothing flows back."""
    y = torch.zeros_like(input)

    def backward(dy):
        dinput = torch.zeros_like(dy)
        return dinput

    return y, backward


def masked_fill_samples(make):
    yield sample(make(3, 4), make(4) > 0, 2.0)
    yield sample(make(3, 4), make(3, 1) > 0, make())


@rule(*spellings("masked_fill"), samples=masked_fill_samples)
def masked_fill(input, mask, value):
    """y is `value` where the mask holds, x elsewhere."""
    y = input.masked_fill(mask, value)

    def backward(dy):
        dinput = unbroadcast(torch.where(mask, 0, dy), input)
        dvalue = unbroadcast(torch.where(mask, dy, 0), value)
        return dinput, None, dvalue

    return y, backward


@rule(
    *spellings("masked_scatter"), samples=lambda make: [sample(make(3, 4), make(4) > 0, make(12))]
)
def masked_scatter(input, mask, source):
    """The elements under the mask replaced, in order, by those of `source`."""
    y = input.masked_scatter(mask, source)

    def backward(dy):
        dinput = unbroadcast(torch.where(mask, 0, dy), input)
        taken = dy[mask.expand_as(dy)]
        dsource = source.new_zeros(source.numel())
        dsource[: len(taken)] = taken
        dsource = dsource.reshape(source.shape)
        return dinput, None, dsource

    return y, backward


def where_samples(make):
    yield sample(make(3, 4) > 0, make(4), make(3, 1))
    yield sample(make(3, 4) > 0, make(3, 4), 2.0)


@rule(torch.where, samples=where_samples)
def where(condition, input, other):
    """y is `input` where the condition holds, `other` elsewhere; so is its cotangent."""
    y = torch.where(condition, input, other)

    def backward(dy):
        dinput = unbroadcast(torch.where(condition, dy, 0), input)
        dother = unbroadcast(torch.where(condition, 0, dy), other)
        return None, dinput, dother

    return y, backward


@rule(Tensor.where, samples=lambda make: [sample(make(3, 4), make(4) > 0, make(3, 1))])
def tensor_where(input, condition, other):
    """As torch.where, called on the tensor to be kept where the condition holds."""
    y = torch.where(condition, input, other)

    def backward(dy):
        dinput = unbroadcast(torch.where(condition, dy, 0), input)
        dother = unbroadcast(torch.where(condition, 0, dy), other)
        return dinput, None, dother

    return y, backward


def scatter_samples(make):
    index = torch.tensor([[0, 2, 1], [3, 1, 0]])
    yield sample(make(2, 4), 1, index, make(2, 3))
    yield sample(make(2, 4), 1, index, 2.0)


@rule(*spellings("scatter"), samples=scatter_samples)
def scatter(input, dim, index, src=None, *, value=None, reduce=None):
    """x with src[i][j] written to x[i][index[i][j]].

    Where two elements of src go to one place it is undefined which stays, and the
    gradient is only right where none do.
    """
    src = value if src is None else src
    y = input.scatter(dim, index, src, reduce=reduce) if reduce else input.scatter(dim, index, src)

    def backward(dy):
        dinput = dy.scatter(dim, index, 0)
        dsrc = None
        if isinstance(src, Tensor):
            read = dy.gather(dim, index)
            dsrc = torch.zeros_like(src)
            torch.atleast_1d(dsrc)[tuple(slice(n) for n in index.shape)] = read
        return dinput, None, None, dsrc

    return y, backward


def scatter_add_samples(make):
    yield sample(make(2, 4), 1, torch.tensor([[0, 2, 0], [3, 1, 1]]), make(2, 3))


@rule(*spellings("scatter_add"), samples=scatter_add_samples)
def scatter_add(input, dim, index, src):
    """x with src[i][j] added at x[i][index[i][j]]."""
    y = input.scatter_add(dim, index, src)

    def backward(dy):
        read = dy.gather(dim, index)
        dsrc = torch.zeros_like(src)
        torch.atleast_1d(dsrc)[tuple(slice(n) for n in index.shape)] = read
        dinput = dy
        return dinput, None, None, dsrc

    return y, backward


def index_add_samples(make):
    yield sample(make(2, 4), 1, torch.tensor([0, 2, 0]), make(2, 3), alpha=2.0)


@rule(*spellings("index_add"), samples=index_add_samples)
def index_add(input, dim, index, source, *, alpha=1):
    """x with slices of `source`, times α, added at the indices."""
    y = input.index_add(dim, index, source, alpha=alpha)

    def backward(dy):
        dsource = alpha * dy.index_select(dim, index).reshape(source.shape)
        dinput = dy
        return dinput, None, None, dsource

    return y, backward


def index_copy_samples(make):
    yield sample(make(2, 4), 1, torch.tensor([0, 2]), make(2, 2))


@rule(*spellings("index_copy"), samples=index_copy_samples)
def index_copy(input, dim, index, source):
    """x with slices of `source` written at the indices."""
    y = input.index_copy(dim, index, source)

    def backward(dy):
        dinput = dy.index_fill(dim, index, 0)
        dsource = dy.index_select(dim, index).reshape(source.shape)
        return dinput, None, None, dsource

    return y, backward


def index_fill_samples(make):
    yield sample(make(2, 4), 1, torch.tensor([0, 2]), 2.0)
    yield sample(make(2, 4), 1, torch.tensor([0, 2]), make())


@rule(*spellings("index_fill"), samples=index_fill_samples)
def index_fill(input, dim, index, value):
    """x with one number written to the slices at the indices."""
    y = input.index_fill(dim, index, value)

    def backward(dy):
        written = torch.zeros_like(dy, dtype=torch.bool).index_fill(dim, index, True)
        dinput = torch.where(written, 0, dy)
        dvalue = unbroadcast(torch.where(written, dy, 0), value)
        return dinput, None, None, dvalue

    return y, backward


def index_put_samples(make):
    yield sample(make(3, 4), (torch.tensor([0, 2]),), make(4))
    yield sample(make(3, 4), (torch.tensor([0, 0]),), make(2, 4), accumulate=True)


@rule(*spellings("index_put"), samples=index_put_samples)
def index_put(input, indices, values, accumulate=False):
    """x[indices] = values, or += with `accumulate`."""
    y = input.index_put(indices, values, accumulate)

    def backward(dy):
        dvalues = unbroadcast_leading(dy[tuple(indices)], values)
        dinput = dy
        if not accumulate:
            dinput = dy.index_put(indices, dy.new_zeros(()))
        return dinput, None, dvalues

    return y, backward
