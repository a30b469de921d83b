"""Elements moved, repeated, padded or masked by place."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .registry import rule, sample, spellings
from .samples import anywhere
from .shape import size_of
from .view import reading_adjoint, view_adjoint


@rule(Tensor.repeat, samples=lambda make: [sample(make(2, 3), 4, 1, 2)])
def repeat(input, *repeats, **named):
    """The tensor laid out many times: its cotangent sums over the copies."""
    times = size_of(repeats, named) if repeats or named else ()
    y = input.repeat(times)

    def backward(dy):
        dinput = reading_adjoint(dy, input, Tensor.repeat, times)
        return dinput

    return y, backward


@rule(*spellings("tile"), samples=lambda make: [sample(make(2, 3), (2, 2))])
def tile(input, *dims, **named):
    """As repeat; missing dimensions count as 1."""
    times = size_of(dims, named) if dims or named else ()
    y = input.tile(times)

    def backward(dy):
        dinput = reading_adjoint(dy, input, Tensor.tile, times)
        return dinput

    return y, backward


def repeat_interleave_samples(make):
    yield sample(make(2, 3), 2)
    yield sample(make(2, 3), torch.tensor([1, 3]), dim=0)


@rule(*spellings("repeat_interleave"), samples=repeat_interleave_samples)
def repeat_interleave(input, repeats, dim=None, *, output_size=None):
    """Each slice repeated next to itself."""
    y = torch.repeat_interleave(input, repeats, dim)

    def backward(dy):
        dinput = reading_adjoint(dy, input, torch.repeat_interleave, repeats, dim)
        return dinput

    return y, backward


@rule(*spellings("flip"), samples=lambda make: [sample(make(2, 3), (0, 1))])
def flip(input, *dims, **named):
    """Dimensions reversed; reversing them again undoes it."""
    order = size_of(dims, named) if dims or named else ()
    y = input.flip(order)

    def backward(dy):
        dinput = dy.flip(order)
        return dinput

    return y, backward


@rule(*spellings("fliplr"), samples=anywhere)
def fliplr(input):
    """The second dimension reversed."""
    y = input.fliplr()

    def backward(dy):
        dinput = dy.fliplr()
        return dinput

    return y, backward


@rule(*spellings("flipud"), samples=anywhere)
def flipud(input):
    """The first dimension reversed."""
    y = input.flipud()

    def backward(dy):
        dinput = dy.flipud()
        return dinput

    return y, backward


@rule(*spellings("roll"), samples=lambda make: [sample(make(2, 3), 1), sample(make(2, 3), 2, 1)])
def roll(input, shifts, dims=()):
    """Elements shifted round; shifting them the other way undoes it."""
    back = -shifts if isinstance(shifts, int) else [-shift for shift in shifts]
    y = input.roll(shifts, dims)

    def backward(dy):
        dinput = dy.roll(back, dims)
        return dinput

    return y, backward


@rule(*spellings("rot90"), samples=lambda make: [sample(make(2, 3), 1, (0, 1))])
def rot90(input, k=1, dims=(0, 1)):
    """A plane of two dimensions turned by k quarter turns."""
    y = input.rot90(k, dims)

    def backward(dy):
        dinput = dy.rot90(-k, dims)
        return dinput

    return y, backward


@rule(*spellings("tril"), samples=lambda make: [sample(make(3, 4), 1)])
def tril(input, diagonal=0):
    """The lower triangle; the rest is 0, and so is its cotangent."""
    y = input.tril(diagonal)

    def backward(dy):
        dinput = dy.tril(diagonal)
        return dinput

    return y, backward


@rule(*spellings("triu"), samples=lambda make: [sample(make(3, 4), 1)])
def triu(input, diagonal=0):
    """The upper triangle; the rest is 0, and so is its cotangent."""
    y = input.triu(diagonal)

    def backward(dy):
        dinput = dy.triu(diagonal)
        return dinput

    return y, backward


def diag_samples(make):
    yield sample(make(3), 1)
    yield sample(make(3, 4))


@rule(*spellings("diag"), samples=diag_samples)
def diag(input, diagonal=0):
    """A vector made a diagonal, or a matrix's diagonal read."""
    y = input.diag(diagonal)

    def backward(dy):
        if input.dim() == 1:
            dinput = dy.diagonal(diagonal)
        else:
            dinput = view_adjoint(dy, input, Tensor.diagonal, diagonal)
        return dinput

    return y, backward


@rule(*spellings("diag_embed"), samples=lambda make: [sample(make(2, 3), 1, dim1=0)])
def diag_embed(input, offset=0, dim1=-2, dim2=-1):
    """Vectors made the diagonals of matrices."""
    y = input.diag_embed(offset, dim1, dim2)

    def backward(dy):
        dinput = dy.diagonal(offset, dim1, dim2)
        return dinput

    return y, backward


@rule(*spellings("diagflat"), samples=lambda make: [sample(make(2, 3), -1)])
def diagflat(input, offset=0):
    """All elements made one diagonal."""
    y = input.diagflat(offset)

    def backward(dy):
        dinput = dy.diagonal(offset).reshape(input.shape)
        return dinput

    return y, backward


def pad_samples(make):
    yield sample(make(2, 3, 4), (1, 2), value=1.0)
    yield sample(make(2, 3, 4), (1, 2), mode="reflect")
    yield sample(make(2, 3, 4), (1, -1), mode="replicate")
    yield sample(make(2, 3, 4), (1, 2), mode="circular")


@rule(F.pad, samples=pad_samples)
def pad(input, pad, mode="constant", value=None):
    """The input with borders: constant ones take nothing, copied ones give back to their source."""
    y = F.pad(input, pad, mode, value)

    def backward(dy):
        if mode == "constant":
            dinput = F.pad(dy, [-edge for edge in pad])
        else:
            dinput = padding_adjoint(dy, input, pad, mode)
        return dinput

    return y, backward


def padding_adjoint(dy, input, pad, mode):
    """As `reading_adjoint`; F.pad's modes take floating-point numbers only."""
    elements = torch.arange(input.numel(), dtype=torch.float64, device=input.device)
    read = F.pad(elements.reshape(input.shape), pad, mode).flatten().to(torch.int64)
    dinput = input.new_zeros(input.numel()).index_add(0, read, dy.flatten())
    return dinput.reshape(input.shape)


@rule(torch.constant_pad_nd, samples=lambda make: [sample(make(2, 3), (1, 2), 1.0)])
def constant_pad_nd(input, pad, value=0):
    """The input with constant borders, through which nothing flows."""
    y = torch.constant_pad_nd(input, pad, value)

    def backward(dy):
        dinput = torch.constant_pad_nd(dy, [-edge for edge in pad])
        return dinput

    return y, backward


@rule(F.pixel_shuffle, samples=lambda make: [sample(make(1, 8, 2, 3), 2)])
def pixel_shuffle(input, upscale_factor):
    """Channels spread into pixels."""
    y = F.pixel_shuffle(input, upscale_factor)

    def backward(dy):
        dinput = F.pixel_unshuffle(dy, upscale_factor)
        return dinput

    return y, backward


@rule(F.pixel_unshuffle, samples=lambda make: [sample(make(1, 2, 4, 6), 2)])
def pixel_unshuffle(input, downscale_factor):
    """Pixels gathered into channels."""
    y = F.pixel_unshuffle(input, downscale_factor)

    def backward(dy):
        dinput = F.pixel_shuffle(dy, downscale_factor)
        return dinput

    return y, backward


@rule(F.channel_shuffle, samples=lambda make: [sample(make(1, 6, 2, 2), 3)])
def channel_shuffle(input, groups):
    """Channels dealt out: of g groups of c, the first of each group comes first."""
    y = F.channel_shuffle(input, groups)

    def backward(dy):
        dinput = F.channel_shuffle(dy, input.shape[1] // groups)
        return dinput

    return y, backward


@rule(F.unfold, samples=lambda make: [sample(make(2, 3, 4, 5), 2, padding=1)])
def unfold_windows(input, kernel_size, dilation=1, padding=0, stride=1):
    """Windows laid out as columns; the adjoint folds them, adding up what overlaps."""
    y = F.unfold(input, kernel_size, dilation, padding, stride)

    def backward(dy):
        dinput = F.fold(dy, input.shape[-2:], kernel_size, dilation, padding, stride)
        return dinput

    return y, backward


@rule(F.fold, samples=lambda make: [sample(make(2, 12, 12), (4, 5), 2)])
def fold(input, output_size, kernel_size, dilation=1, padding=0, stride=1):
    """Columns added up as windows; the adjoint reads each window again."""
    y = F.fold(input, output_size, kernel_size, dilation, padding, stride)

    def backward(dy):
        dinput = F.unfold(dy, kernel_size, dilation, padding, stride)
        return dinput

    return y, backward
