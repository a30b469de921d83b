"""Shapes: the same elements in other dimensions, in another order, or repeated unseen.

Each is linear and moves elements only, so its adjoint moves them back.
"""

import torch
from torch import Tensor

from .broadcast import unbroadcast
from .registry import getter, rule, sample, spellings


def size_of(sizes, named):
    """The size of ``t.view(2, 3)``, ``t.view((2, 3))`` and ``t.view(size=(2, 3))`` alike."""
    if not sizes:
        sizes = tuple(named.values())
    return tuple(sizes) if isinstance(sizes[0], int) else tuple(sizes[0])


# Rearrangements whose adjoint is the shape put back


@rule(
    Tensor.view,
    torch.view_copy,
    samples=lambda make: [sample(make(2, 6), 3, 4), sample(make(2, 6), (-1,))],
)
def view(input, *size, **named):
    """The same elements in another shape."""
    dtype = named.get("dtype", size[0] if size else None)
    y = input.view(*size, **named)

    def backward(dy):
        recast = isinstance(dtype, torch.dtype)
        dinput = dy.view(input.dtype) if recast else dy.reshape(input.shape)
        return dinput

    return y, backward


@rule(*spellings("reshape"), samples=lambda make: [sample(make(2, 6), (3, 4))])
def reshape(input, *shape, **named):
    """The same elements in another shape."""
    y = input.reshape(size_of(shape, named))

    def backward(dy):
        dinput = dy.reshape(input.shape)
        return dinput

    return y, backward


@rule(Tensor.view_as, Tensor.reshape_as, samples=lambda make: [sample(make(2, 6), make(3, 4))])
def view_as(input, other):
    """The same elements in the shape of another tensor."""
    y = input.reshape(other.shape)

    def backward(dy):
        dinput = dy.reshape(input.shape)
        return dinput

    return y, backward


def flatten_samples(make):
    yield sample(make(2, 3))
    yield sample(make(2, 3, 4), 1)


@rule(*spellings("flatten", "ravel"), samples=flatten_samples)
def flatten(input, start_dim=0, end_dim=-1):
    """Several dimensions made one."""
    y = input.flatten(start_dim, end_dim)

    def backward(dy):
        dinput = dy.reshape(input.shape)
        return dinput

    return y, backward


@rule(*spellings("unflatten"), samples=lambda make: [sample(make(2, 6), 1, (2, 3))])
def unflatten(input, dim, sizes):
    """One dimension made several."""
    y = input.unflatten(dim, sizes)

    def backward(dy):
        dinput = dy.reshape(input.shape)
        return dinput

    return y, backward


@rule(
    *spellings("squeeze", "squeeze_copy"),
    samples=lambda make: [sample(make(2, 1, 3)), sample(make(1, 2), 0)],
)
def squeeze(input, *dim, **named):
    """Dimensions of size 1 dropped."""
    y = input.squeeze(*dim, **named)

    def backward(dy):
        dinput = dy.reshape(input.shape)
        return dinput

    return y, backward


@rule(*spellings("unsqueeze", "unsqueeze_copy"), samples=lambda make: [sample(make(2, 3), 1)])
def unsqueeze(input, dim):
    """A dimension of size 1 put in."""
    y = input.unsqueeze(dim)

    def backward(dy):
        dinput = dy.squeeze(dim)
        return dinput

    return y, backward


# Dimensions reordered: the adjoint is the inverse permutation


def transpose_samples(make):
    yield sample(make(2, 3, 4), 0, -1)


@rule(*spellings("transpose", "swapaxes", "swapdims", "transpose_copy"), samples=transpose_samples)
def transpose(input, dim0=None, dim1=None, *, axis0=None, axis1=None):
    """Two dimensions exchanged; exchanging them again undoes it."""
    dim0 = axis0 if dim0 is None else dim0
    dim1 = axis1 if dim1 is None else dim1
    y = input.transpose(dim0, dim1)

    def backward(dy):
        dinput = dy.transpose(dim0, dim1)
        return dinput

    return y, backward


@rule(*spellings("t", "t_copy"), samples=lambda make: [sample(make(2, 3)), sample(make(3))])
def t(input):
    """The transpose of a matrix."""
    y = input.t()

    def backward(dy):
        dinput = dy.t()
        return dinput

    return y, backward


def matrix_samples(make):
    yield sample(make(2, 3))


@rule(getter("T"), samples=matrix_samples)
def T(input):
    """All dimensions in reverse order."""
    dims = tuple(reversed(range(input.dim())))
    y = input.permute(dims)

    def backward(dy):
        dinput = dy.permute(dims)
        return dinput

    return y, backward


@rule(getter("mT"), samples=matrix_samples)
def mT(input):
    """The last two dimensions exchanged."""
    y = input.mT

    def backward(dy):
        dinput = dy.mT
        return dinput

    return y, backward


@rule(getter("H"), getter("mH"), *spellings("adjoint"), samples=matrix_samples)
def H(input):
    """The conjugate transpose of the last two dimensions."""
    y = input.mH

    def backward(dy):
        dinput = dy.mH
        return dinput

    return y, backward


@rule(
    *spellings("permute", "permute_copy"), samples=lambda make: [sample(make(2, 3, 4), (2, 0, 1))]
)
def permute(input, *dims, **named):
    """The dimensions in another order: dimension i of y is dimension dims[i] of x."""
    order = [d % max(input.dim(), 1) for d in size_of(dims, named)] if input.dim() else []
    back = [order.index(d) for d in range(input.dim())]
    y = input.permute(order)

    def backward(dy):
        dinput = dy.permute(back)
        return dinput

    return y, backward


@rule(*spellings("movedim", "moveaxis"), samples=lambda make: [sample(make(2, 3, 4), 0, 2)])
def movedim(input, source, destination):
    """Dimensions moved to new places; the adjoint moves them back."""
    y = input.movedim(source, destination)

    def backward(dy):
        dinput = dy.movedim(destination, source)
        return dinput

    return y, backward


# Elements read many times: the adjoint sums over the copies


def expand_samples(make):
    yield sample(make(3, 1), 2, 3, 4)
    yield sample(make(3, 1), (2, 3, 4))


@rule(*spellings("expand", "expand_copy"), samples=expand_samples)
def expand(input, *size, **named):
    """Dimensions of size 1 repeated without copying."""
    y = input.expand(*size, **named)

    def backward(dy):
        dinput = unbroadcast(dy, input)
        return dinput

    return y, backward


@rule(Tensor.expand_as, samples=lambda make: [sample(make(3, 1), make(2, 3, 4))])
def expand_as(input, other):
    """Dimensions of size 1 repeated to another tensor's shape."""
    y = input.expand_as(other)

    def backward(dy):
        dinput = unbroadcast(dy, input)
        return dinput

    return y, backward


@rule(*spellings("broadcast_to"), samples=lambda make: [sample(make(3, 1), (2, 3, 4))])
def broadcast_to(input, size):
    """Dimensions of size 1 repeated to a larger shape."""
    y = input.broadcast_to(size)

    def backward(dy):
        dinput = unbroadcast(dy, input)
        return dinput

    return y, backward
