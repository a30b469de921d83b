"""Elements picked by index: reading them, and adding up what comes back where they lay."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .registry import rule, sample, spellings
from .view import reading_adjoint, view_adjoint


def is_basic(index):
    """Whether an index holds only integers, slices, None and …, so that it makes a view."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(
        part is None
        or part is Ellipsis
        or (isinstance(part, int | slice) and not isinstance(part, bool))
        for part in parts
    )


def getitem_samples(make):
    yield sample(make(3, 4), (slice(None), slice(1, 3)))
    yield sample(make(3, 4), 1)
    yield sample(make(3, 4), torch.tensor([0, 2, 0]))
    yield sample(make(3, 4), (slice(None), torch.tensor([0, 0])))


@rule(Tensor.__getitem__, samples=getitem_samples)
def getitem(input, index):
    """y = x[index]. An element that the index reads twice receives both cotangents."""
    y = input[index]

    def backward(dy):
        if is_basic(index):
            dinput = view_adjoint(dy, input, Tensor.__getitem__, index)
        else:
            dinput = reading_adjoint(dy, input, Tensor.__getitem__, index)
        return dinput

    return y, backward


def gather_samples(make):
    yield sample(make(3, 4), 1, torch.tensor([[0, 0, 3], [1, 2, 2]]))


@rule(*spellings("gather"), samples=gather_samples)
def gather(input, dim, index, *, sparse_grad=False):
    """y[i][j] = x[i][index[i][j]] along one dimension."""
    y = input.gather(dim, index)

    def backward(dy):
        dinput = torch.zeros_like(input).scatter_add_(dim, index, dy)
        return dinput

    return y, backward


def along_samples(make):
    yield sample(make(3, 4), torch.tensor([[0, 0, 3]]), 1)
    yield sample(make(3, 4), torch.tensor([0, 5, 5]))


@rule(*spellings("take_along_dim"), samples=along_samples)
def take_along_dim(input, indices, dim=None):
    """As gather, with the indices broadcast to the input."""
    y = torch.take_along_dim(input, indices, dim)

    def backward(dy):
        dinput = reading_adjoint(dy, input, torch.take_along_dim, indices, dim)
        return dinput

    return y, backward


@rule(*spellings("take"), samples=lambda make: [sample(make(3, 4), torch.tensor([[0, 5], [5, 2]]))])
def take(input, index):
    """Elements by their number in the flattened input."""
    y = input.take(index)

    def backward(dy):
        dinput = reading_adjoint(dy, input, Tensor.take, index)
        return dinput

    return y, backward


@rule(
    *spellings("index_select"),
    samples=lambda make: [sample(make(3, 4), 1, torch.tensor([0, 2, 2]))],
)
def index_select(input, dim, index):
    """Slices of one dimension by number."""
    y = input.index_select(dim, index)

    def backward(dy):
        dinput = torch.zeros_like(input).index_add_(dim, index, dy)
        return dinput

    return y, backward


@rule(*spellings("masked_select"), samples=lambda make: [sample(make(3, 4), make(4) > 0)])
def masked_select(input, mask):
    """The elements where the mask holds, as a vector."""
    y = input.masked_select(mask)

    def backward(dy):
        spread = torch.broadcast_shapes(input.shape, mask.shape)
        dspread = dy.new_zeros(spread).masked_scatter(mask, dy)
        dinput = dspread.sum_to_size(input.shape)
        return dinput

    return y, backward


def held_to(max_norm, norm_type, rows):
    """Rows that are longer than `max_norm` scaled down to it, as the op does to the table."""
    if max_norm is None:
        return rows
    length = torch.linalg.vector_norm(rows, norm_type, -1, keepdim=True)
    return torch.where(length > max_norm, rows * (max_norm / (length + 1e-7)), rows)


def embedding_samples(make):
    yield sample(make.integers(5, 2, 3), make(5, 4))
    yield sample(make.integers(5, 2, 3), make(5, 4), padding_idx=1)
    yield sample(make.integers(5, 2, 3), make(5, 4), scale_grad_by_freq=True)


@rule(F.embedding, samples=embedding_samples)
def embedding(
    input,
    weight,
    padding_idx=None,
    max_norm=None,
    norm_type=2.0,
    scale_grad_by_freq=False,
    sparse=False,
):
    """Rows of a table by number: each row receives the sum over the places that read it.

    The padding row receives nothing. With `scale_grad_by_freq` the sum is a mean. Where
    `max_norm` scales the table in place, its cotangent is that of the scaled one.
    """
    y = held_to(max_norm, norm_type, weight[input])

    def backward(dy):
        rows = input.flatten().long()
        drows = dy.reshape(rows.numel(), weight.shape[1])
        dweight = torch.zeros_like(weight).index_add_(0, rows, drows)
        if scale_grad_by_freq:
            uses = torch.bincount(rows, minlength=len(weight)).clamp(min=1)
            dweight = dweight / uses.unsqueeze(1).to(dweight.dtype)
        if padding_idx is not None:
            dweight = dweight.index_fill(0, rows.new_tensor([padding_idx % len(weight)]), 0)
        return None, dweight

    return y, backward
