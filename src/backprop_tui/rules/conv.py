"""Convolutions and their transposes, in one, two and three dimensions.

A convolution is linear in its input and in its kernel. Its adjoint in the input is the
transposed convolution with the same kernel; its adjoint in the kernel is the convolution
of the input with the cotangent, where batch and channels change places and stride and
dilation do too (Dumoulin and Visin, 2016, arXiv:1603.07285).
"""

import torch
import torch.nn.functional as F

from .registry import rule, sample

CONVOLVE = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


def each(value, n):
    """One number for each of n dimensions."""
    return (value,) * n if isinstance(value, int) else tuple(value) * (n // len(value))


def padded(input, padding, kernel, dilation):
    """The input and the padding left to do, for a padding that may be "same" or "valid"."""
    if padding == "valid":
        return input, (0,) * len(kernel)
    if padding != "same":
        return input, each(padding, len(kernel))
    edges = []
    for size, spacing in zip(reversed(kernel), reversed(dilation), strict=True):
        total = spacing * (size - 1)
        edges += [total // 2, total - total // 2]
    return F.pad(input, edges), (0,) * len(kernel)


def kernel_cotangent(input, dy, kernel, stride, padding, dilation, groups):
    """∂L/∂W of a convolution: the input convolved with dy, stride and dilation exchanged."""
    batch, channels, *size = input.shape
    n = len(kernel)
    x = input.reshape(batch, groups, channels // groups, *size)
    x = x.permute(2, 1, 0, *range(3, n + 3)).reshape(channels // groups, groups * batch, *size)
    dweight = CONVOLVE[n](x, dy.transpose(0, 1), None, dilation, padding, stride, groups)
    # a stride can leave input at the far edge that no window reached
    window = tuple(slice(size) for size in kernel)
    return dweight[(..., *window)].transpose(0, 1)


def leftover(input, dy, kernel, stride, padding, dilation):
    """How much of the input's far edge no window of a convolution reached."""
    n = len(kernel)
    return tuple(
        input.shape[-n + d]
        - ((dy.shape[-n + d] - 1) * stride[d] - 2 * padding[d] + dilation[d] * (kernel[d] - 1) + 1)
        for d in range(n)
    )


def conv_samples(make):
    yield sample(make(2, 3, 6), make(4, 3, 3), make(4), stride=2, padding=1)


@rule(F.conv1d, F.conv2d, F.conv3d, samples=conv_samples)
def conv(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """A convolution: each output is the kernel's inner product with one window of the input."""
    n = weight.dim() - 2
    kernel = weight.shape[2:]
    stride = each(stride, n)
    dilation = each(dilation, n)
    x = input if input.dim() == weight.dim() else input.unsqueeze(0)
    x, pad = padded(x, padding, kernel, dilation)
    y = CONVOLVE[n](x, weight, None, stride, pad, dilation, groups)
    if bias is not None:
        y = y + bias.reshape(-1, *(1,) * n)
    if input.dim() < weight.dim():
        y = y.squeeze(0)

    def backward(dy):
        dbias = None
        if input.dim() < weight.dim():
            dy = dy.unsqueeze(0)
        if bias is not None:
            dbias = dy.sum((0, *range(2, n + 2)))
        dweight = kernel_cotangent(x, dy, kernel, stride, pad, dilation, groups)
        rest = leftover(x, dy, kernel, stride, pad, dilation)
        dinput = TRANSPOSED[n](dy, weight, None, stride, pad, rest, groups, dilation)
        if padding == "same":
            dinput = unpadded(dinput, input)
        return dinput.reshape(input.shape), dweight, dbias

    return y, backward
