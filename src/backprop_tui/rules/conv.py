"""Convolutions and their transposes, in one, two and three dimensions.

A convolution is linear in its input and in its kernel. Its adjoint in the input is the
transposed convolution with the same kernel (Dumoulin and Visin, 2016, arXiv:1603.07285); its
adjoint in the kernel is, for each of the kernel's rows, a product of the cotangent with the
input that the row met. Such a product is fast in any dtype, and in float32 often has the bits
of torch's own.
"""

import itertools

import torch
import torch.nn.functional as F

from .broadcast import as_dtype
from .registry import rule, sample

CONVOLVE = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


def each(value, n):
    """One number for each of n dimensions."""
    return (value,) * n if isinstance(value, int) else tuple(value) * (n // len(value))


def split_padding(padding, kernel, dilation):
    """What F.pad must add first, and the padding left to the convolution.

    "same" may need one more on the far side of a dimension than on the near one.
    """
    if padding == "valid":
        return (), (0,) * len(kernel)
    if padding != "same":
        return (), each(padding, len(kernel))
    totals = [d * (size - 1) for size, d in zip(kernel, dilation, strict=True)]
    edges = [edge for total in reversed(totals) for edge in (total // 2, total - total // 2)]
    return edges, (0,) * len(kernel)


def kernel_cotangent(input, dy, kernel, stride, padding, dilation, groups):
    """∂L/∂W of a convolution: for each row of the kernel, dy times the input that it met."""
    edges = [edge for width in reversed(padding) for edge in (width, width)]
    input = F.pad(input, edges).transpose(0, 1).unflatten(0, (groups, -1))
    reach = dilation[-1] * (kernel[-1] - 1) + 1
    windows = input.unfold(-1, reach, stride[-1])[..., : dy.shape[-1], :: dilation[-1]]
    windows = windows.movedim(-1, 2)
    dy = dy.transpose(0, 1).unflatten(0, (groups, -1))
    axes = tuple(zip(dy.shape[3:-1], stride[:-1], dilation[:-1], strict=True))
    dy = dy.flatten(2)
    rows = []
    for row in itertools.product(*map(range, kernel[:-1])):
        starts = [d * at for at, (_, _, d) in zip(row, axes, strict=True)]
        met = [slice(i, i + s * (n - 1) + 1, s) for i, (n, s, _) in zip(starts, axes, strict=True)]
        met = windows[(..., *met, slice(None))].flatten(3).flatten(1, 2)
        rows.append((dy @ met.mT).unflatten(-1, (-1, kernel[-1])))
    return torch.stack(rows, 3).reshape(-1, input.shape[1], *kernel)


def cropped(tensor, sizes):
    """The near part of the last dimensions, of these sizes."""
    for d, size in enumerate(sizes, start=-len(sizes)):
        tensor = tensor.narrow(d, 0, size)
    return tensor


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
    yield sample(make(2, 4, 5, 4), make(6, 2, 3, 2), dilation=(1, 2), groups=2)
    yield sample(make(2, 5, 4), make(3, 2, 2, 3), padding="same")
    yield sample(make(1, 2, 3, 4, 3), make(2, 2, 2, 2, 2), make(2))


@rule(F.conv1d, F.conv2d, F.conv3d, samples=conv_samples)
def conv(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """A convolution, y[n, k] = Σ W[k, c] ⋆ x[n, c] + b[k]: a kernel's inner product with windows.

    x is N×C×size (or C×size), W is K×C×kernel, with groups K×C/groups×kernel, y is N×K×size.
    ∂L/∂b sums dy over examples and places, ∂L/∂x is the transposed convolution of dy, and
    ∂L/∂W the convolution of x with dy.
    """
    n = weight.dim() - 2
    kernel = weight.shape[2:]
    stride = each(stride, n)
    dilation = each(dilation, n)
    edges, padding = split_padding(padding, kernel, dilation)
    single = input.dim() < weight.dim()
    if single:
        input = input.unsqueeze(0)
    if any(edges):
        input = F.pad(input, edges)
    y = CONVOLVE[n](input, weight, None, stride, padding, dilation, groups)
    if bias is not None:
        y = y + bias.reshape(-1, *(1,) * n)
    if single:
        y = y.squeeze(0)

    def backward(dy):
        dbias = None
        if single:
            dy = dy.unsqueeze(0)
        if bias is not None:
            dbias = as_dtype(dy.sum((0, *range(2, n + 2))), bias.dtype)
        dweight = kernel_cotangent(input, dy, kernel, stride, padding, dilation, groups)
        rest = leftover(input, dy, kernel, stride, padding, dilation)
        dinput = TRANSPOSED[n](dy, weight, None, stride, padding, rest, groups, dilation)
        if any(edges):
            dinput = F.pad(dinput, [-edge for edge in edges])
        if single:
            dinput = dinput.squeeze(0)
        return dinput, dweight, dbias

    return y, backward


def conv_transpose_samples(make):
    yield sample(make(2, 3, 4), make(3, 4, 3), make(4), stride=2, padding=1, output_padding=1)
    yield sample(make(2, 4, 3, 4), make(4, 3, 3, 2), dilation=(1, 2), groups=2)
    yield sample(make(3, 4), make(3, 4, 3))
    yield sample(make(1, 2, 3, 2, 3), make(2, 2, 2, 2, 2), make(2))


@rule(
    F.conv_transpose1d,
    F.conv_transpose2d,
    F.conv_transpose3d,
    samples=conv_transpose_samples,
)
def conv_transpose(
    input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1
):
    """The adjoint of a convolution: each input lays down a copy of the kernel, W is C×K×kernel.

    So its own adjoint is the convolution, and the kernel sees input and dy exchanged.
    """
    n = weight.dim() - 2
    kernel = weight.shape[2:]
    stride = each(stride, n)
    padding = each(padding, n)
    dilation = each(dilation, n)
    single = input.dim() < weight.dim()
    if single:
        input = input.unsqueeze(0)
    y = TRANSPOSED[n](input, weight, None, stride, padding, output_padding, groups, dilation)
    if bias is not None:
        y = y + bias.reshape(-1, *(1,) * n)
    if single:
        y = y.squeeze(0)

    def backward(dy):
        dbias = None
        if single:
            dy = dy.unsqueeze(0)
        if bias is not None:
            dbias = as_dtype(dy.sum((0, *range(2, n + 2))), bias.dtype)
        dweight = kernel_cotangent(dy, input, kernel, stride, padding, dilation, groups)
        dinput = CONVOLVE[n](dy, weight, None, stride, padding, dilation, groups)
        # output padding of a stride or more would make room for one more window
        dinput = cropped(dinput, input.shape[2:])
        if single:
            dinput = dinput.squeeze(0)
        return dinput, dweight, dbias

    return y, backward
