"""The discrete Fourier transform over one dimension, yₖ = Σⱼ xⱼ·e^(−2πi·jk/n), and its kin.

The matrix of the transform is symmetric. So its adjoint, in plain algebra, is the transform
itself: no conjugate and no inverse. What is cut off or filled with zeros to reach length n
is filled or cut on the way back, and of a real input only the real part is wanted.
"""

import torch
import torch.nn.functional as F

from .broadcast import as_dtype
from .registry import rule, sample
from .samples import complex_normal


def resize(input, shape):
    """Each dimension cut at its end, or filled up with zeros there, to the size wanted."""
    sizes = zip(input.shape, shape, strict=True)
    ends = [(0, wanted - size) for size, wanted in sizes]
    return F.pad(input, [n for end in reversed(ends) for n in end])


def with_size(input, dim, size):
    """The shape of `input` with another size in one dimension."""
    dim = dim % input.dim()
    return [size if d == dim else n for d, n in enumerate(input.shape)]


def double_middle(half, dim, n):
    """The first n//2 + 1 of n coefficients, doubled where the missing half mirrors them."""
    k = torch.arange(half.shape[dim], device=half.device)
    alone = (k == 0) | (2 * k == n)
    weight = torch.where(alone, 1, 2).to(half.real.dtype)
    return (half.movedim(dim, -1) * weight).movedim(-1, dim)


def real_samples(make):
    yield sample(make(2, 6))
    yield sample(make(3, 2), 5, 0, norm="ortho")
    yield sample(make(2, 6), 4, norm="forward")


def complex_samples(make):
    yield sample(complex_normal(make, 2, 6))
    yield sample(complex_normal(make, 3, 2), 5, 0, norm="ortho")
    yield sample(complex_normal(make, 2, 6), 4, norm="forward")


@rule(torch.fft.fft, samples=lambda make: [*complex_samples(make), *real_samples(make)])
def fft(input, n=None, dim=-1, norm=None):
    """y = F·x with Fⱼₖ = e^(−2πi·jk/n) = Fₖⱼ, hence ∂L/∂x = F·dy."""
    y = torch.fft.fft(input, n, dim, norm)

    def backward(dy):
        dpadded = torch.fft.fft(dy, dim=dim, norm=norm)
        dinput = as_dtype(resize(dpadded, input.shape), input.dtype)
        return dinput

    return y, backward


@rule(torch.fft.ifft, samples=lambda make: [*complex_samples(make), *real_samples(make)])
def ifft(input, n=None, dim=-1, norm=None):
    """y = F⁻¹·x with F⁻¹ⱼₖ = e^(2πi·jk/n)/n, symmetric as well: ∂L/∂x = F⁻¹·dy."""
    y = torch.fft.ifft(input, n, dim, norm)

    def backward(dy):
        dpadded = torch.fft.ifft(dy, dim=dim, norm=norm)
        dinput = as_dtype(resize(dpadded, input.shape), input.dtype)
        return dinput

    return y, backward


@rule(torch.fft.rfft, samples=real_samples)
def rfft(input, n=None, dim=-1, norm=None):
    """The first half of fft(x) of a real x: the other half is its mirror image, conjugated."""
    y = torch.fft.rfft(input, n, dim, norm)
    whole = with_size(y, dim, input.shape[dim] if n is None else n)

    def backward(dy):
        dwhole = resize(dy, whole)
        dpadded = torch.fft.fft(dwhole, dim=dim, norm=norm).real
        dinput = resize(dpadded, input.shape)
        return dinput

    return y, backward


@rule(torch.fft.irfft, samples=complex_samples)
def irfft(input, n=None, dim=-1, norm=None):
    """The real inverse transform of half a spectrum, the other half being its mirror image.

    yⱼ = Re Σₖ wₖ·xₖ·e^(2πi·jk/n)/n with w = 2 where a coefficient stands for two, else 1.
    """
    y = torch.fft.irfft(input, n, dim, norm)
    length = y.shape[dim]

    def backward(dy):
        dwhole = torch.fft.ifft(dy, dim=dim, norm=norm)
        dhalf = resize(dwhole, with_size(y, dim, length // 2 + 1))
        dhalf = double_middle(dhalf, dim, length)
        dinput = as_dtype(resize(dhalf, input.shape), input.dtype)
        return dinput

    return y, backward


@rule(torch.fft.hfft, samples=complex_samples)
def hfft(input, n=None, dim=-1, norm=None):
    """The real transform of half a signal: as irfft, with e^(−2πi·jk/n)."""
    y = torch.fft.hfft(input, n, dim, norm)
    length = y.shape[dim]

    def backward(dy):
        dwhole = torch.fft.fft(dy, dim=dim, norm=norm)
        dhalf = resize(dwhole, with_size(y, dim, length // 2 + 1))
        dhalf = double_middle(dhalf, dim, length)
        dinput = as_dtype(resize(dhalf, input.shape), input.dtype)
        return dinput

    return y, backward


@rule(torch.fft.ihfft, samples=real_samples)
def ihfft(input, n=None, dim=-1, norm=None):
    """The first half of ifft(x) of a real x."""
    y = torch.fft.ihfft(input, n, dim, norm)
    whole = with_size(y, dim, input.shape[dim] if n is None else n)

    def backward(dy):
        dwhole = resize(dy, whole)
        dpadded = torch.fft.ifft(dwhole, dim=dim, norm=norm).real
        dinput = resize(dpadded, input.shape)
        return dinput

    return y, backward


def shift_samples(make):
    yield sample(make(2, 5))
    yield sample(make(4, 5), (0,))


@rule(torch.fft.fftshift, samples=shift_samples)
def fftshift(input, dim=None):
    """Frequency 0 moved to the middle; ifftshift moves it back."""
    y = torch.fft.fftshift(input, dim)

    def backward(dy):
        dinput = torch.fft.ifftshift(dy, dim)
        return dinput

    return y, backward


@rule(torch.fft.ifftshift, samples=shift_samples)
def ifftshift(input, dim=None):
    """Frequency 0 moved from the middle to the front; fftshift moves it back."""
    y = torch.fft.ifftshift(input, dim)

    def backward(dy):
        dinput = torch.fft.fftshift(dy, dim)
        return dinput

    return y, backward
