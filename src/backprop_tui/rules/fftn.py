"""Fourier transforms over several dimensions, one after the other: as `fft` for each.

The half spectra are halved in the last of the dimensions alone.
"""

import torch

from .broadcast import as_dtype
from .fft import double_middle, resize, with_size
from .registry import rule, sample
from .samples import complex_normal


def transformed(input, s, dim):
    """The dimensions that a transform goes over: those of `dim`, or the last ones, or all."""
    if dim is not None:
        return (dim,) if isinstance(dim, int) else dim
    count = input.dim() if s is None else 1 if isinstance(s, int) else len(s)
    return tuple(range(-count, 0))


def last_size(input, s, last):
    """The length of the transform in its last dimension; −1 and None leave it as it is."""
    size = s if s is None or isinstance(s, int) else s[-1]
    return input.shape[last] if size in (None, -1) else size


def real_samples(make):
    yield sample(make(4, 6))
    yield sample(make(3, 2), (5, 3), norm="ortho")
    yield sample(make(4, 6), (3, 4), (1, 0), norm="forward")


def complex_samples(make):
    yield sample(complex_normal(make, 4, 6))
    yield sample(complex_normal(make, 3, 2), (5, 3), norm="ortho")
    yield sample(complex_normal(make, 4, 6), (3, 4), (1, 0), norm="forward")


@rule(torch.fft.fftn, samples=lambda make: [*complex_samples(make), *real_samples(make)])
def fftn(input, s=None, dim=None, norm=None):
    """fft over several dimensions; the matrix of each is symmetric."""
    y = torch.fft.fftn(input, s, dim, norm)
    dims = transformed(input, s, dim)

    def backward(dy):
        dpadded = torch.fft.fftn(dy, dim=dims, norm=norm)
        dinput = as_dtype(resize(dpadded, input.shape), input.dtype)
        return dinput

    return y, backward


@rule(torch.fft.ifftn, samples=lambda make: [*complex_samples(make), *real_samples(make)])
def ifftn(input, s=None, dim=None, norm=None):
    """ifft over several dimensions; the matrix of each is symmetric."""
    y = torch.fft.ifftn(input, s, dim, norm)
    dims = transformed(input, s, dim)

    def backward(dy):
        dpadded = torch.fft.ifftn(dy, dim=dims, norm=norm)
        dinput = as_dtype(resize(dpadded, input.shape), input.dtype)
        return dinput

    return y, backward


@rule(torch.fft.rfftn, samples=real_samples)
def rfftn(input, s=None, dim=None, norm=None):
    """rfft over the last dimension, then fft over the others."""
    y = torch.fft.rfftn(input, s, dim, norm)
    dims = transformed(input, s, dim)
    whole = with_size(y, dims[-1], last_size(input, s, dims[-1]))

    def backward(dy):
        dwhole = resize(dy, whole)
        dpadded = torch.fft.fftn(dwhole, dim=dims, norm=norm).real
        dinput = resize(dpadded, input.shape)
        return dinput

    return y, backward


@rule(torch.fft.irfftn, samples=complex_samples)
def irfftn(input, s=None, dim=None, norm=None):
    """ifft over the other dimensions, then irfft over the last."""
    y = torch.fft.irfftn(input, s, dim, norm)
    dims = transformed(input, s, dim)
    length = y.shape[dims[-1]]

    def backward(dy):
        dwhole = torch.fft.ifftn(dy, dim=dims, norm=norm)
        dhalf = resize(dwhole, with_size(y, dims[-1], length // 2 + 1))
        dhalf = double_middle(dhalf, dims[-1], length)
        dinput = as_dtype(resize(dhalf, input.shape), input.dtype)
        return dinput

    return y, backward


@rule(torch.fft.hfftn, samples=complex_samples)
def hfftn(input, s=None, dim=None, norm=None):
    """fft over the other dimensions, then hfft over the last."""
    y = torch.fft.hfftn(input, s, dim, norm)
    dims = transformed(input, s, dim)
    length = y.shape[dims[-1]]

    def backward(dy):
        dwhole = torch.fft.fftn(dy, dim=dims, norm=norm)
        dhalf = resize(dwhole, with_size(y, dims[-1], length // 2 + 1))
        dhalf = double_middle(dhalf, dims[-1], length)
        dinput = as_dtype(resize(dhalf, input.shape), input.dtype)
        return dinput

    return y, backward


@rule(torch.fft.ihfftn, samples=real_samples)
def ihfftn(input, s=None, dim=None, norm=None):
    """ihfft over the last dimension, then ifft over the others."""
    y = torch.fft.ihfftn(input, s, dim, norm)
    dims = transformed(input, s, dim)
    whole = with_size(y, dims[-1], last_size(input, s, dims[-1]))

    def backward(dy):
        dwhole = resize(dy, whole)
        dpadded = torch.fft.ifftn(dwhole, dim=dims, norm=norm).real
        dinput = resize(dpadded, input.shape)
        return dinput

    return y, backward


# Over two dimensions


@rule(torch.fft.fft2, samples=complex_samples)
def fft2(input, s=None, dim=(-2, -1), norm=None):
    """fftn over the last two dimensions."""
    return fftn(input, s, dim, norm)


@rule(torch.fft.ifft2, samples=complex_samples)
def ifft2(input, s=None, dim=(-2, -1), norm=None):
    """ifftn over the last two dimensions."""
    return ifftn(input, s, dim, norm)


@rule(torch.fft.rfft2, samples=real_samples)
def rfft2(input, s=None, dim=(-2, -1), norm=None):
    """rfftn over the last two dimensions."""
    return rfftn(input, s, dim, norm)


@rule(torch.fft.irfft2, samples=complex_samples)
def irfft2(input, s=None, dim=(-2, -1), norm=None):
    """irfftn over the last two dimensions."""
    return irfftn(input, s, dim, norm)


@rule(torch.fft.hfft2, samples=complex_samples)
def hfft2(input, s=None, dim=(-2, -1), norm=None):
    """hfftn over the last two dimensions."""
    return hfftn(input, s, dim, norm)


@rule(torch.fft.ihfft2, samples=real_samples)
def ihfft2(input, s=None, dim=(-2, -1), norm=None):
    """ihfftn over the last two dimensions."""
    return ihfftn(input, s, dim, norm)
