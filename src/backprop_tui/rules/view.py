"""Windows into a tensor, and the adjoint that every view and every reading shares.

A view is linear, and its adjoint writes each element of the cotangent to where the view
read it. Where that is again a view (a transpose undone), the rule says so; the others go
through `view_adjoint`.
"""

import torch
from torch import Tensor

from .registry import rule, sample, spellings


def view_adjoint(dy, input, view, *args, **kwargs):
    """The cotangent of `input`, where ``view(input, *args)`` has the cotangent `dy`.

    Zeros, seen through the same view, take up dy. The view must read no element twice.
    """
    dinput = torch.zeros_like(input)
    view(dinput, *args, **kwargs).copy_(dy)
    return dinput


def reading_adjoint(dy, input, reading, *args, **kwargs):
    """As `view_adjoint`, for a view or an indexing that may read an element many times.

    It is asked which elements it reads, and what comes back is added up in each.
    """
    elements = torch.arange(input.numel(), device=input.device).reshape(input.shape)
    read = reading(elements, *args, **kwargs)
    dinput = input.new_zeros(input.numel())
    dinput = dinput.index_add(0, read.flatten(), dy.flatten())
    return dinput.reshape(input.shape)


@rule(*spellings("select", "select_copy"), samples=lambda make: [sample(make(2, 3, 4), 1, -1)])
def select(input, dim, index):
    """One slice of a dimension."""
    y = input.select(dim, index)

    def backward(dy):
        dinput = view_adjoint(dy, input, Tensor.select, dim, index)
        return dinput

    return y, backward


@rule(*spellings("narrow", "narrow_copy"), samples=lambda make: [sample(make(2, 5), 1, 2, 2)])
def narrow(input, dim, start, length):
    """A range of one dimension."""
    y = input.narrow(dim, start, length)

    def backward(dy):
        dinput = view_adjoint(dy, input, Tensor.narrow, dim, start, length)
        return dinput

    return y, backward


@rule(torch.ops.aten.slice.Tensor, samples=lambda make: [sample(make(2, 5), 1, 1, -1, 2)])
def slice_window(input, dim=0, start=None, end=None, step=1):
    """A range of one dimension, in steps."""
    window = [slice(None)] * (dim % input.dim()) + [slice(start, end, step)]
    y = input[tuple(window)]

    def backward(dy):
        dinput = view_adjoint(dy, input, Tensor.__getitem__, tuple(window))
        return dinput

    return y, backward


def diagonal_samples(make):
    yield sample(make(3, 4))
    yield sample(make(2, 3, 4), 1, dim1=0, dim2=2)


@rule(*spellings("diagonal", "diagonal_copy"), samples=diagonal_samples)
def diagonal(input, offset=0, dim1=0, dim2=1):
    """A diagonal of the matrices that two dimensions span."""
    y = input.diagonal(offset, dim1, dim2)

    def backward(dy):
        dinput = view_adjoint(dy, input, Tensor.diagonal, offset, dim1, dim2)
        return dinput

    return y, backward


def matrix_diagonal_samples(make):
    yield sample(make(2, 3, 4))
    yield sample(make(2, 3, 4), offset=1, dim1=0, dim2=2)


@rule(torch.linalg.diagonal, samples=matrix_diagonal_samples)
def linalg_diagonal(A, *, offset=0, dim1=-2, dim2=-1):
    """As torch.diagonal, of the last two dimensions if none are named."""
    return diagonal(A, offset, dim1, dim2)


@rule(Tensor.unfold, torch.unfold_copy, samples=lambda make: [sample(make(2, 7), 1, 3, 2)])
def unfold(input, dimension, size, step):
    """Windows over one dimension; what overlaps is added up."""
    y = input.unfold(dimension, size, step)

    def backward(dy):
        dinput = reading_adjoint(dy, input, Tensor.unfold, dimension, size, step)
        return dinput

    return y, backward


def as_strided_samples(make):
    yield sample(make(3, 4), (2, 3), (4, 1), 1)
    yield sample(make(3, 4), (3, 3), (1, 2))


@rule(*spellings("as_strided", "as_strided_copy"), samples=as_strided_samples)
def as_strided(input, size, stride, storage_offset=None):
    """The memory of a tensor read by any strides; what is read twice adds up."""
    y = input.as_strided(size, stride, storage_offset)

    def backward(dy):
        size_of_memory = input.untyped_storage().nbytes() // input.element_size()
        start = input.storage_offset() if storage_offset is None else storage_offset
        places = torch.arange(size_of_memory, device=input.device)
        read = places.as_strided(size, stride, start)
        dmemory = dy.new_zeros(size_of_memory).index_add(0, read.flatten(), dy.flatten())
        dinput = dmemory.as_strided(input.shape, input.stride(), input.storage_offset())
        return dinput

    return y, backward
