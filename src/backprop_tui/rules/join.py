"""Tensors cut into parts and joined from parts: each is the adjoint of the other."""

import torch
from torch import Tensor

from .broadcast import as_dtype, unbroadcast
from .registry import rule, sample, spellings


def split_samples(make):
    yield sample(make(5, 2), 2)
    yield sample(make(2, 5), [1, 4], dim=1)


@rule(
    torch.split,
    Tensor.split,
    *spellings("split_with_sizes", "unsafe_split", "unsafe_split_with_sizes"),
    *spellings("split_copy", "split_with_sizes_copy"),
    samples=split_samples,
)
def split(tensor, split_size_or_sections, dim=0):
    """Parts of given sizes: the cotangents of the parts are joined again."""
    y = torch.split(tensor, split_size_or_sections, dim)

    def backward(*dparts):
        dtensor = torch.cat(dparts, dim)
        return dtensor

    return y, backward


@rule(*spellings("chunk", "unsafe_chunk"), samples=lambda make: [sample(make(2, 5), 2, dim=1)])
def chunk(input, chunks, dim=0):
    """A given number of parts: the cotangents of the parts are joined again."""
    y = input.chunk(chunks, dim)

    def backward(*dparts):
        dinput = torch.cat(dparts, dim)
        return dinput

    return y, backward


@rule(*spellings("tensor_split"), samples=lambda make: [sample(make(5, 2), (1, 3))])
def tensor_split(input, indices_or_sections, dim=0, **named):
    """Parts that begin at given indices: their cotangents are joined again."""
    y = torch.tensor_split(input, indices_or_sections, dim=dim)

    def backward(*dparts):
        dinput = torch.cat(dparts, dim)
        return dinput

    return y, backward


@rule(*spellings("hsplit"), samples=lambda make: [sample(make(2, 4), 2)])
def hsplit(input, indices_or_sections):
    """Parts along the second dimension, or the only one."""
    y = input.hsplit(indices_or_sections)

    def backward(*dparts):
        dinput = torch.hstack(dparts)
        return dinput

    return y, backward


@rule(*spellings("vsplit"), samples=lambda make: [sample(make(4, 2), 2)])
def vsplit(input, indices_or_sections):
    """Parts along the first dimension."""
    y = input.vsplit(indices_or_sections)

    def backward(*dparts):
        dinput = torch.vstack(dparts)
        return dinput

    return y, backward


@rule(*spellings("dsplit"), samples=lambda make: [sample(make(2, 3, 4), 2)])
def dsplit(input, indices_or_sections):
    """Parts along the third dimension."""
    y = input.dsplit(indices_or_sections)

    def backward(*dparts):
        dinput = torch.dstack(dparts)
        return dinput

    return y, backward


@rule(
    *spellings("unbind", "unbind_copy"),
    samples=lambda make: [sample(make(3, 2)), sample(make(2, 3), dim=1)],
)
def unbind(input, dim=0):
    """All slices of one dimension: their cotangents are stacked again."""
    y = input.unbind(dim)

    def backward(*dslices):
        dinput = torch.stack(dslices, dim)
        return dinput

    return y, backward


def parts(dy, tensors, dim):
    """A joined cotangent cut into the sizes and dtypes of the tensors that were joined."""
    # torch.cat ignores empty vectors among tensors of more dimensions
    joined = [t.numel() > 0 or t.dim() == dy.dim() for t in tensors]
    sizes = [t.shape[dim] if here else 0 for t, here in zip(tensors, joined, strict=True)]
    cut = dy.split(sizes, dim)
    return [
        as_dtype(part, t.dtype) if here else torch.zeros_like(t)
        for part, t, here in zip(cut, tensors, joined, strict=True)
    ]


def cat_samples(make):
    yield sample([make(2, 3), make(4, 3)])
    yield sample([make(2, 3), make(2, 1)], dim=-1)


@rule(*spellings("cat", "concat", "concatenate"), samples=cat_samples)
def cat(tensors, dim=0):
    """Tensors joined along a dimension: the cotangent is cut where they were joined."""
    y = torch.cat(tensors, dim)

    def backward(dy):
        dtensors = parts(dy, tensors, dim)
        return dtensors

    return y, backward


@rule(*spellings("stack"), samples=lambda make: [sample([make(2, 3), make(2, 3)], dim=1)])
def stack(tensors, dim=0):
    """Tensors laid side by side along a new dimension: the cotangent's slices."""
    y = torch.stack(tensors, dim)

    def backward(dy):
        slices = dy.unbind(dim)
        dtensors = [as_dtype(d, t.dtype) for d, t in zip(slices, tensors, strict=True)]
        return dtensors

    return y, backward


def rows_samples(make):
    yield sample([make(2, 3), make(2, 3)])
    yield sample([make(3), make(3)])


@rule(*spellings("hstack"), samples=rows_samples)
def hstack(tensors):
    """Tensors joined along the second dimension, vectors along the only one."""
    y = torch.hstack(tensors)
    atleast = [t.reshape(1) if t.dim() == 0 else t for t in tensors]

    def backward(dy):
        dparts = parts(dy, atleast, 0 if dy.dim() == 1 else 1)
        dtensors = [d.reshape(t.shape) for d, t in zip(dparts, tensors, strict=True)]
        return dtensors

    return y, backward


@rule(*spellings("vstack", "row_stack"), samples=rows_samples)
def vstack(tensors):
    """Tensors joined along the first dimension; a vector is one row."""
    y = torch.vstack(tensors)
    atleast = [torch.atleast_2d(t) for t in tensors]

    def backward(dy):
        dparts = parts(dy, atleast, 0)
        dtensors = [d.reshape(t.shape) for d, t in zip(dparts, tensors, strict=True)]
        return dtensors

    return y, backward


@rule(*spellings("dstack"), samples=rows_samples)
def dstack(tensors):
    """Tensors joined along the third dimension."""
    y = torch.dstack(tensors)
    atleast = [torch.atleast_3d(t) for t in tensors]

    def backward(dy):
        dparts = parts(dy, atleast, 2)
        dtensors = [d.reshape(t.shape) for d, t in zip(dparts, tensors, strict=True)]
        return dtensors

    return y, backward


@rule(*spellings("column_stack"), samples=rows_samples)
def column_stack(tensors):
    """Tensors joined as columns; a vector is one column."""
    y = torch.column_stack(tensors)
    columns = [t.reshape(-1, 1) if t.dim() <= 1 else t for t in tensors]

    def backward(dy):
        dparts = parts(dy, columns, 1)
        dtensors = [d.reshape(t.shape) for d, t in zip(dparts, tensors, strict=True)]
        return dtensors

    return y, backward


def broadcast_samples(make):
    yield sample(make(2, 1), make(3))


@rule(torch.broadcast_tensors, samples=broadcast_samples)
def broadcast_tensors(*tensors):
    """Tensors expanded to their common shape: each cotangent is summed back."""
    given = tensors[0] if isinstance(tensors[0], list | tuple) else tensors
    y = torch.broadcast_tensors(*given)

    def backward(*dy):
        dtensors = tuple(unbroadcast(d, t) for d, t in zip(dy, given, strict=True))
        return dtensors

    return y, backward


def meshgrid_samples(make):
    yield sample(make(2), make(3), indexing="ij")
    yield sample(make(2), make(3), indexing="xy")


@rule(torch.meshgrid, samples=meshgrid_samples)
def meshgrid(*tensors, indexing=None):
    """Vectors spread over the grid that they span; each cotangent sums over the others."""
    listed = isinstance(tensors[0], list | tuple)
    given = tensors[0] if listed else tensors
    y = torch.meshgrid(*given, indexing=indexing or "ij")
    axes = list(range(len(given)))
    if indexing == "xy" and len(given) > 1:
        axes[:2] = [1, 0]

    def backward(*dy):
        others = [[a for a in axes if a != axis] for axis in axes]
        sums = [d.sum(o) if o else d for d, o in zip(dy, others, strict=True)]
        dtensors = [d.reshape(t.shape) for d, t in zip(sums, given, strict=True)]
        cotangents = dtensors if listed else tuple(dtensors)
        return cotangents

    return y, backward
