"""Tensors combined into larger ones: blocks, products of sets, and shapes made alike."""

import torch
from torch import Tensor

from .broadcast import as_dtype
from .registry import rule, sample
from .view import reading_adjoint


def blocks_samples(make):
    yield sample(make(2, 3), make(1, 2))
    yield sample(make(2), make(), make(2, 1))


@rule(torch.block_diag, samples=blocks_samples)
def block_diag(*tensors):
    """Matrices along a diagonal, zeros beside them: each receives its block of dy."""
    y = torch.block_diag(*tensors)

    def backward(dy):
        dtensors = []
        row = column = 0
        for tensor in tensors:
            height, width = torch.atleast_2d(tensor).shape
            block = dy[row : row + height, column : column + width]
            dtensors.append(as_dtype(block.reshape(tensor.shape), tensor.dtype))
            row, column = row + height, column + width
        return tuple(dtensors)

    return y, backward


@rule(torch.cartesian_prod, samples=lambda make: [sample(make(2), make(3)), sample(make(2))])
def cartesian_prod(*tensors):
    """All ways to take one element from each vector: a column is its vector, repeated."""
    y = torch.cartesian_prod(*tensors)
    grid = [len(tensor) for tensor in tensors]

    def backward(dy):
        columns = dy.reshape(*grid, len(tensors)).unbind(-1)
        dtensors = []
        for axis, dcolumn in enumerate(columns):
            others = [a for a in range(len(grid)) if a != axis]
            dtensors.append(dcolumn.sum(others) if others else dcolumn)
        return tuple(dtensors)

    return y, backward


def combinations_samples(make):
    yield sample(make(4))
    yield sample(make(3), 3, True)


@rule(torch.combinations, samples=combinations_samples)
def combinations(input, r=2, with_replacement=False):
    """All ways to take r elements: each element receives from all that it was taken for."""
    y = torch.combinations(input, r, with_replacement)

    def backward(dy):
        dinput = reading_adjoint(dy, input, torch.combinations, r, with_replacement)
        return dinput

    return y, backward


def put_back(dy, tensors, listed):
    """Each cotangent in the shape that its tensor had."""
    dtensors = [d.reshape(t.shape) for d, t in zip(dy, tensors, strict=True)]
    return dtensors if listed else tuple(dtensors)


def atleast_samples(make):
    yield sample(make())
    yield sample(make(2), make(2, 3))
    yield sample([make(2), make(2, 3, 4)])


@rule(torch.atleast_1d, samples=atleast_samples)
def atleast_1d(*tensors):
    """A number as a vector of one element."""
    y = torch.atleast_1d(*tensors)
    listed = isinstance(tensors[0], list | tuple)

    def backward(*dy):
        dtensors = put_back(dy, tensors[0] if listed else tensors, listed)
        return dtensors

    return y, backward


@rule(torch.atleast_2d, samples=atleast_samples)
def atleast_2d(*tensors):
    """A number or a vector as a matrix of one row."""
    y = torch.atleast_2d(*tensors)
    listed = isinstance(tensors[0], list | tuple)

    def backward(*dy):
        dtensors = put_back(dy, tensors[0] if listed else tensors, listed)
        return dtensors

    return y, backward


@rule(torch.atleast_3d, samples=atleast_samples)
def atleast_3d(*tensors):
    """A matrix, vector or number with dimensions of size 1 added to make three."""
    y = torch.atleast_3d(*tensors)
    listed = isinstance(tensors[0], list | tuple)

    def backward(*dy):
        dtensors = put_back(dy, tensors[0] if listed else tensors, listed)
        return dtensors

    return y, backward


@rule(Tensor.sum_to_size, samples=lambda make: [sample(make(2, 3), 1, 3), sample(make(2, 3), (3,))])
def sum_to_size(input, *size):
    """The sum over what a broadcast would repeat: each element receives from its sum."""
    y = input.sum_to_size(*size)

    def backward(dy):
        dinput = dy.expand(input.shape)
        return dinput

    return y, backward
