"""A tensor set into a window of another: what lay under it is lost, and receives nothing.

For each kind of view there is a `…_scatter` that writes to where the view reads. So the
cotangent of what is set in is dy seen through the view, and that of the rest is dy with
zeros set in.
"""

import torch

from .broadcast import as_dtype
from .registry import rule, sample, spellings


@rule(*spellings("select_scatter"), samples=lambda make: [sample(make(2, 3, 4), make(2, 4), 1, -1)])
def select_scatter(input, src, dim, index):
    """x with one slice of a dimension replaced by `src`."""
    y = input.select_scatter(src, dim, index)

    def backward(dy):
        dsrc = as_dtype(dy.select(dim, index), src.dtype)
        dinput = dy.select_scatter(torch.zeros_like(src), dim, index)
        return dinput, dsrc

    return y, backward


def slice_scatter_samples(make):
    yield sample(make(2, 5), make(2, 2), 1, 1, 4, 2)
    yield sample(make(5), make(3), start=2)


@rule(*spellings("slice_scatter"), samples=slice_scatter_samples)
def slice_scatter(input, src, dim=0, start=None, end=None, step=1):
    """x with a range of one dimension replaced by `src`."""
    y = input.slice_scatter(src, dim, start, end, step)

    def backward(dy):
        window = [slice(None)] * (dim % dy.dim()) + [slice(start, end, step)]
        dsrc = as_dtype(dy[tuple(window)], src.dtype)
        dinput = dy.slice_scatter(torch.zeros_like(src), dim, start, end, step)
        return dinput, dsrc

    return y, backward


def diagonal_scatter_samples(make):
    yield sample(make(3, 4), make(3), 1)
    yield sample(make(2, 3, 4), make(3, 2), dim1=0, dim2=2)


@rule(*spellings("diagonal_scatter"), samples=diagonal_scatter_samples)
def diagonal_scatter(input, src, offset=0, dim1=0, dim2=1):
    """x with a diagonal replaced by `src`."""
    y = input.diagonal_scatter(src, offset, dim1, dim2)

    def backward(dy):
        dsrc = as_dtype(dy.diagonal(offset, dim1, dim2), src.dtype)
        dinput = dy.diagonal_scatter(torch.zeros_like(src), offset, dim1, dim2)
        return dinput, dsrc

    return y, backward


def as_strided_scatter_samples(make):
    yield sample(make(3, 4), make(2, 3), (2, 3), (4, 1), 1)
    yield sample(make(3, 4), make(2, 2), (2, 2), (8, 3))


@rule(*spellings("as_strided_scatter"), samples=as_strided_scatter_samples)
def as_strided_scatter(input, src, size, stride, storage_offset=None):
    """x with what any strides see of its memory replaced by `src`.

    Strides count in the memory of x, so the cotangent is laid out in such a memory first.
    Autograd is wrong here (torch 2.13): it gives x the cotangent inside the window, where x
    was overwritten, and zeros outside. Finite differences agree with the rule.
    """
    y = input.as_strided_scatter(src, size, stride, storage_offset)

    def backward(dy):
        size_of_memory = input.untyped_storage().nbytes() // input.element_size()
        own = (input.shape, input.stride(), input.storage_offset())
        start = input.storage_offset() if storage_offset is None else storage_offset
        dmemory = dy.new_zeros(size_of_memory)
        dmemory = dmemory.as_strided_scatter(dy, *own)
        dsrc = dmemory.as_strided(size, stride, start)
        dmemory = dmemory.as_strided_scatter(torch.zeros_like(src), size, stride, start)
        dinput = dmemory.as_strided(*own)
        return dinput, dsrc

    return y, backward
