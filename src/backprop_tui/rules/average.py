"""Averages of windows, and interpolation: one matrix for each dimension.

The dimensions are treated one after the other, each by a matrix with one row for each
output; the adjoint is the matrix transposed.
"""

import math

import torch
import torch.nn.functional as F

from .conv import each
from .registry import rule, sample


def apply_along(matrices, input):
    """Each of the last dimensions of `input` multiplied by its own matrix."""
    for dim, matrix in enumerate(reversed(matrices), start=1):
        input = (input.transpose(-dim, -1) @ matrix.t()).transpose(-dim, -1)
    return input


def transposed(matrices):
    """The adjoint of applying these matrices: apply their transposes."""
    return [matrix.t() for matrix in matrices]


def window_means(input, size, kernel, stride, padding, ceil_mode, count_padding, divide):
    """The matrix that averages the windows over a dimension of `size` elements."""
    last = size + 2 * padding - kernel
    windows = (math.ceil(last / stride) if ceil_mode else last // stride) + 1
    if ceil_mode and (windows - 1) * stride >= size + padding:
        windows -= 1  # every window begins inside the input or its near padding
    start = torch.arange(windows, device=input.device) * stride - padding
    end = (start + kernel).clamp(max=size + padding)
    return means(input, start, end, size, count_padding, divide)


def means(input, start, end, size, count_padding=False, divide=True):
    """One row for each window [start, end): 1/length inside it, 0 outside."""
    at = torch.arange(size, device=input.device)
    inside = (at >= start.unsqueeze(1)) & (at < end.unsqueeze(1))
    matrix = inside.to(input.dtype)
    if divide:
        length = end - start if count_padding else inside.sum(1)
        matrix = matrix / length.unsqueeze(1)
    return matrix


def adaptive_means(input, windows, size):
    """The matrix whose windows part `size` elements as evenly as whole numbers allow."""
    number = torch.arange(windows, device=input.device)
    start = number * size // windows
    end = ((number + 1) * size + windows - 1) // windows
    return means(input, start, end, size)


def average(input, n, kernel_size, stride, padding, ceil_mode, count_padding, divisor=None):
    """The mean of each window over the last n dimensions, or its sum over a given divisor."""
    kernel = each(kernel_size, n)
    step = kernel if stride in (None, (), []) else each(stride, n)
    edge = each(padding, n)
    matrices = [
        window_means(input, size, k, s, p, ceil_mode, count_padding, divisor is None)
        for size, k, s, p in zip(input.shape[-n:], kernel, step, edge, strict=True)
    ]
    y = apply_along(matrices, input)
    if divisor is not None:
        y = y / divisor

    def backward(dy):
        if divisor is not None:
            dy = dy / divisor
        dinput = apply_along(transposed(matrices), dy)
        return dinput

    return y, backward


def avg_pool1d_samples(make):
    yield sample(make(2, 3, 6), 2)
    yield sample(make(3, 6), 3, 2, 1, ceil_mode=True, count_include_pad=False)


@rule(F.avg_pool1d, samples=avg_pool1d_samples)
def avg_pool1d(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
    """The mean of each window."""
    return average(input, 1, kernel_size, stride, padding, ceil_mode, count_include_pad)


def avg_pool2d_samples(make):
    yield sample(make(2, 3, 5, 6), 2)
    yield sample(make(3, 5, 6), 3, 2, 1, ceil_mode=True, count_include_pad=False)
    yield sample(make(3, 5, 6), 2, divisor_override=3)


@rule(F.avg_pool2d, samples=avg_pool2d_samples)
def avg_pool2d(
    input,
    kernel_size,
    stride=None,
    padding=0,
    ceil_mode=False,
    count_include_pad=True,
    divisor_override=None,
):
    """The mean of each window, or its sum over a divisor of one's own."""
    return average(
        input, 2, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


def avg_pool3d_samples(make):
    yield sample(make(2, 3, 4, 5, 3), 2)
    yield sample(make(3, 4, 5, 3), 3, 2, 1, ceil_mode=True, count_include_pad=False)
    yield sample(make(3, 4, 5, 3), 2, divisor_override=3)


@rule(F.avg_pool3d, samples=avg_pool3d_samples)
def avg_pool3d(
    input,
    kernel_size,
    stride=None,
    padding=0,
    ceil_mode=False,
    count_include_pad=True,
    divisor_override=None,
):
    """The mean of each window, or its sum over a divisor of one's own."""
    return average(
        input, 3, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


def adaptive_average(input, n, output_size):
    """The mean of each of a given number of windows over the last n dimensions."""
    sizes = input.shape[-n:]
    windows = [s if w is None else w for w, s in zip(each(output_size, n), sizes, strict=True)]
    matrices = [adaptive_means(input, w, s) for w, s in zip(windows, sizes, strict=True)]
    y = apply_along(matrices, input)

    def backward(dy):
        dinput = apply_along(transposed(matrices), dy)
        return dinput

    return y, backward


@rule(F.adaptive_avg_pool1d, samples=lambda make: [sample(make(2, 3, 6), 3)])
def adaptive_avg_pool1d(input, output_size):
    """The mean of each of a given number of windows."""
    return adaptive_average(input, 1, output_size)


@rule(F.adaptive_avg_pool2d, samples=lambda make: [sample(make(2, 3, 5, 6), 3)])
def adaptive_avg_pool2d(input, output_size):
    """The mean of each of a given number of windows."""
    return adaptive_average(input, 2, output_size)


@rule(F.adaptive_avg_pool3d, samples=lambda make: [sample(make(2, 3, 4, 5, 3), 3)])
def adaptive_avg_pool3d(input, output_size):
    """The mean of each of a given number of windows."""
    return adaptive_average(input, 3, output_size)


def interpolate_samples(make):
    yield sample(make(2, 3, 4), scale_factor=1.5)
    yield sample(make(2, 3, 4, 3), (6, 5), mode="bilinear", align_corners=True)
    yield sample(make(1, 2, 4, 3), (6, 2), mode="bicubic")
    yield sample(make(1, 2, 6, 5), (3, 2), mode="bilinear", antialias=True)


@rule(F.interpolate, F.upsample, samples=interpolate_samples)
def interpolate(
    input,
    size=None,
    scale_factor=None,
    mode="nearest",
    align_corners=None,
    recompute_scale_factor=None,
    antialias=False,
):
    """The input at another size. What becomes of the unit vectors gives the matrices."""
    n = input.dim() - 2
    flat = {"linear": "bilinear", "trilinear": "bilinear"}.get(mode, mode)
    options = (flat, align_corners, recompute_scale_factor, antialias)
    matrices = []
    for d in range(n):
        units = torch.eye(input.shape[2 + d], dtype=input.dtype, device=input.device)
        columns = units[None, :, :, None].repeat(1, 1, 1, 2)  # of one, antialias makes a mistake
        wanted = None if size is None else (each(size, n)[d], 2)
        factor = None if scale_factor is None else (factors(scale_factor, n)[d], 1.0)
        columns = F.interpolate(columns, wanted, factor, *options)
        matrices.append(columns[0, :, :, 0].t())
    y = apply_along(matrices, input)

    def backward(dy):
        dinput = apply_along(transposed(matrices), dy)
        return dinput

    return y, backward


def factors(scale_factor, n):
    """One scale for each of n dimensions."""
    return (scale_factor,) * n if isinstance(scale_factor, float | int) else scale_factor
