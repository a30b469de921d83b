"""Pooling by the largest of each window: a reading by index, which its adjoint writes back."""

import torch
import torch.nn.functional as F

from .registry import rule, sample


def read_at(input, index, n):
    """The elements of the last n dimensions that `index` numbers as if they were flat."""
    return input.flatten(-n).gather(-1, index.flatten(-n)).reshape(index.shape)


def add_at(dy, index, input, n):
    """The adjoint of `read_at`: each cotangent added to the element that was read."""
    flat = torch.zeros_like(input).flatten(-n)
    return flat.scatter_add_(-1, index.flatten(-n), dy.flatten(-n)).reshape(input.shape)


def largest(input, index, n):
    """The elements at `index`, each the largest of its window: they alone receive dy.

    Of equal ones that is the first, as PyTorch chooses.
    """
    y = read_at(input, index, n)

    def backward(dy):
        dinput = add_at(dy, index, input, n)
        return dinput

    return y, backward


def largest_with_index(input, index, n):
    """As `largest`, with the places as a second output, which is flat."""
    y = read_at(input, index, n)

    def backward(dy, dindex):
        dinput = add_at(dy, index, input, n)
        return dinput

    return (y, index), backward


def max_pool1d_samples(make):
    yield sample(make(2, 3, 6), 2)
    yield sample(make(3, 6), 3, stride=2, padding=1, ceil_mode=True)


@rule(F.max_pool1d, torch.max_pool1d, samples=max_pool1d_samples)
def max_pool1d(
    input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
):
    """The largest element of each window; it alone receives the cotangent."""
    index = F.max_pool1d(input, kernel_size, stride, padding, dilation, ceil_mode, True)[1]
    return largest(input, index, 1)


@rule(F.max_pool1d_with_indices, samples=max_pool1d_samples)
def max_pool1d_with_indices(
    input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=True
):
    """As max_pool1d, with the place of each largest element as a second output."""
    index = F.max_pool1d(input, kernel_size, stride, padding, dilation, ceil_mode, True)[1]
    return largest_with_index(input, index, 1)


def max_pool2d_samples(make):
    yield sample(make(2, 3, 5, 6), 2)
    yield sample(make(3, 5, 6), 3, stride=2, padding=1, ceil_mode=True)


@rule(F.max_pool2d, torch.max_pool2d, samples=max_pool2d_samples)
def max_pool2d(
    input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
):
    """The largest element of each window; it alone receives the cotangent."""
    index = F.max_pool2d(input, kernel_size, stride, padding, dilation, ceil_mode, True)[1]
    return largest(input, index, 2)


@rule(F.max_pool2d_with_indices, samples=max_pool2d_samples)
def max_pool2d_with_indices(
    input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=True
):
    """As max_pool2d, with the place of each largest element as a second output."""
    index = F.max_pool2d(input, kernel_size, stride, padding, dilation, ceil_mode, True)[1]
    return largest_with_index(input, index, 2)


def max_pool3d_samples(make):
    yield sample(make(2, 3, 4, 5, 3), 2)
    yield sample(make(3, 4, 5, 3), 3, stride=2, padding=1, ceil_mode=True)


@rule(F.max_pool3d, torch.max_pool3d, samples=max_pool3d_samples)
def max_pool3d(
    input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
):
    """The largest element of each window; it alone receives the cotangent."""
    index = F.max_pool3d(input, kernel_size, stride, padding, dilation, ceil_mode, True)[1]
    return largest(input, index, 3)


@rule(F.max_pool3d_with_indices, samples=max_pool3d_samples)
def max_pool3d_with_indices(
    input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=True
):
    """As max_pool3d, with the place of each largest element as a second output."""
    index = F.max_pool3d(input, kernel_size, stride, padding, dilation, ceil_mode, True)[1]
    return largest_with_index(input, index, 3)


@rule(F.adaptive_max_pool1d, samples=lambda make: [sample(make(2, 3, 6), 3)])
def adaptive_max_pool1d(input, output_size, return_indices=False):
    """The largest element of each of a given number of windows."""
    index = F.adaptive_max_pool1d(input, output_size, True)[1]
    return largest(input, index, 1)


@rule(F.adaptive_max_pool1d_with_indices, samples=lambda make: [sample(make(2, 3, 6), 3)])
def adaptive_max_pool1d_with_indices(input, output_size, return_indices=True):
    """As adaptive_max_pool1d, with the place of each largest element as a second output."""
    index = F.adaptive_max_pool1d(input, output_size, True)[1]
    return largest_with_index(input, index, 1)


@rule(F.adaptive_max_pool2d, samples=lambda make: [sample(make(2, 3, 5, 6), 3)])
def adaptive_max_pool2d(input, output_size, return_indices=False):
    """The largest element of each of a given number of windows."""
    index = F.adaptive_max_pool2d(input, output_size, True)[1]
    return largest(input, index, 2)


@rule(F.adaptive_max_pool2d_with_indices, samples=lambda make: [sample(make(2, 3, 5, 6), 3)])
def adaptive_max_pool2d_with_indices(input, output_size, return_indices=True):
    """As adaptive_max_pool2d, with the place of each largest element as a second output."""
    index = F.adaptive_max_pool2d(input, output_size, True)[1]
    return largest_with_index(input, index, 2)


@rule(F.adaptive_max_pool3d, samples=lambda make: [sample(make(2, 3, 4, 5, 3), 3)])
def adaptive_max_pool3d(input, output_size, return_indices=False):
    """The largest element of each of a given number of windows."""
    index = F.adaptive_max_pool3d(input, output_size, True)[1]
    return largest(input, index, 3)


@rule(F.adaptive_max_pool3d_with_indices, samples=lambda make: [sample(make(2, 3, 4, 5, 3), 3)])
def adaptive_max_pool3d_with_indices(input, output_size, return_indices=True):
    """As adaptive_max_pool3d, with the place of each largest element as a second output."""
    index = F.adaptive_max_pool3d(input, output_size, True)[1]
    return largest_with_index(input, index, 3)
