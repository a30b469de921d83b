"""Pooling by other means: to given places, by random windows, by the p-norm of a window."""

import math

import torch
import torch.nn.functional as F

from .average import avg_pool1d, avg_pool2d, avg_pool3d
from .conv import each
from .pool import largest, largest_with_index, max_pool1d, max_pool2d, max_pool3d, read_at
from .registry import rule, sample


def unpool_samples(n):
    """Samples of values at the places that max-pooling over n dimensions found."""

    def samples(make):
        image = make(2, 3, *[4] * n).detach()
        pool = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[n - 1]
        values, index = pool(image, 2, return_indices=True)
        yield sample(make(*values.shape), index, 2)

    return samples


@rule(F.max_unpool1d, samples=unpool_samples(1))
def max_unpool1d(input, indices, kernel_size, stride=None, padding=0, output_size=None):
    """Each value put to the place its index names, among zeros."""
    y = F.max_unpool1d(input, indices, kernel_size, stride, padding, output_size)

    def backward(dy):
        dinput = read_at(dy, indices, 1)
        return dinput

    return y, backward


@rule(F.max_unpool2d, samples=unpool_samples(2))
def max_unpool2d(input, indices, kernel_size, stride=None, padding=0, output_size=None):
    """Each value put to the place its index names, among zeros."""
    y = F.max_unpool2d(input, indices, kernel_size, stride, padding, output_size)

    def backward(dy):
        dinput = read_at(dy, indices, 2)
        return dinput

    return y, backward


@rule(F.max_unpool3d, samples=unpool_samples(3))
def max_unpool3d(input, indices, kernel_size, stride=None, padding=0, output_size=None):
    """Each value put to the place its index names, among zeros."""
    y = F.max_unpool3d(input, indices, kernel_size, stride, padding, output_size)

    def backward(dy):
        dinput = read_at(dy, indices, 3)
        return dinput

    return y, backward


def fractional_samples(n):
    """Samples of windows at random places, given or drawn."""

    def samples(make):
        image = make(2, 3, *[6] * n)
        yield sample(image, 2, 3, _random_samples=make.constant(2, 3, n) / 3)
        yield sample(image, 2, output_ratio=(0.5,) * n)

    return samples


@rule(F.fractional_max_pool2d, samples=fractional_samples(2))
def fractional_max_pool2d(
    input,
    kernel_size,
    output_size=None,
    output_ratio=None,
    return_indices=False,
    _random_samples=None,
):
    """The largest of windows at uneven, random places (Graham, 2014, arXiv:1412.6071)."""
    index = F.fractional_max_pool2d_with_indices(
        input, kernel_size, output_size, output_ratio, True, _random_samples
    )[1]
    return largest(input, index, 2)


@rule(F.fractional_max_pool2d_with_indices, samples=fractional_samples(2))
def fractional_max_pool2d_with_indices(
    input,
    kernel_size,
    output_size=None,
    output_ratio=None,
    return_indices=True,
    _random_samples=None,
):
    """As fractional_max_pool2d, with the place of each largest element as a second output."""
    index = F.fractional_max_pool2d_with_indices(
        input, kernel_size, output_size, output_ratio, True, _random_samples
    )[1]
    return largest_with_index(input, index, 2)


@rule(F.fractional_max_pool3d, samples=fractional_samples(3))
def fractional_max_pool3d(
    input,
    kernel_size,
    output_size=None,
    output_ratio=None,
    return_indices=False,
    _random_samples=None,
):
    """The largest of windows at uneven, random places (Graham, 2014, arXiv:1412.6071)."""
    index = F.fractional_max_pool3d_with_indices(
        input, kernel_size, output_size, output_ratio, True, _random_samples
    )[1]
    return largest(input, index, 3)


@rule(F.fractional_max_pool3d_with_indices, samples=fractional_samples(3))
def fractional_max_pool3d_with_indices(
    input,
    kernel_size,
    output_size=None,
    output_ratio=None,
    return_indices=True,
    _random_samples=None,
):
    """As fractional_max_pool3d, with the place of each largest element as a second output."""
    index = F.fractional_max_pool3d_with_indices(
        input, kernel_size, output_size, output_ratio, True, _random_samples
    )[1]
    return largest_with_index(input, index, 3)


def power_sums(input, norm_type, kernel_size, stride, ceil_mode, n):
    """The p-norm of each window, y = (Σ xᵖ)^(1/p): ∂y/∂x = (x/y)ᵖ⁻¹, and 0 where the sum is 0.

    Σ xᵖ is the window's mean of xᵖ, times its size. As p grows y becomes the largest |x|.
    """
    if math.isinf(norm_type):
        return extreme_sizes(input, norm_type, kernel_size, stride, ceil_mode, n)
    average = (avg_pool1d, avg_pool2d, avg_pool3d)[n - 1]
    size = math.prod(each(kernel_size, n))
    powers = input**norm_type
    means, average_backward = average(powers, kernel_size, stride, ceil_mode=ceil_mode)
    sums = size * means
    y = sums ** (1 / norm_type)

    def backward(dy):
        dsums = torch.where(sums == 0, 0, dy / norm_type * sums ** (1 / norm_type - 1))
        dpowers = average_backward(size * dsums)
        dinput = dpowers * norm_type * input ** (norm_type - 1)
        return dinput

    return y, backward


def extreme_sizes(input, norm_type, kernel_size, stride, ceil_mode, n):
    """The p-norm of each window for p = ∞, the largest |x|, or p = −∞, the smallest."""
    pool = (max_pool1d, max_pool2d, max_pool3d)[n - 1]
    toward = math.copysign(1, norm_type)
    size, pool_backward = pool(toward * input.abs(), kernel_size, stride, ceil_mode=ceil_mode)
    y = toward * size

    def backward(dy):
        dinput = pool_backward(dy) * input.sgn().conj()
        return dinput

    return y, backward


def lp_samples(n):
    """Samples of the 2- and the 3-norm of windows."""

    def samples(make):
        yield sample(make(2, 3, *[4] * n), 2, 2)
        yield sample(make.positive(2, 3, *[5] * n), 3.0, 2, stride=1, ceil_mode=True)
        yield sample(make(2, 3, *[4] * n), math.inf, 2)

    return samples


@rule(F.lp_pool1d, samples=lp_samples(1))
def lp_pool1d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """The p-norm of each window, (Σ xᵖ)^(1/p)."""
    return power_sums(input, norm_type, kernel_size, stride, ceil_mode, 1)


@rule(F.lp_pool2d, samples=lp_samples(2))
def lp_pool2d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """The p-norm of each window, (Σ xᵖ)^(1/p)."""
    return power_sums(input, norm_type, kernel_size, stride, ceil_mode, 2)


@rule(F.lp_pool3d, samples=lp_samples(3))
def lp_pool3d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """The p-norm of each window, (Σ xᵖ)^(1/p)."""
    return power_sums(input, norm_type, kernel_size, stride, ceil_mode, 3)
