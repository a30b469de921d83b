"""Complex numbers: their parts, their length and direction, and how they are put together.

A cotangent is plain algebra: L moves by Re(dz·δ) when z moves by δ. So a function with a
complex derivative, w = f(z), has dz = dw·f′(z) as any other. One that looks at a part of z
only has none; its dz is read off from Re(dz·δ).
"""

import torch

from .registry import getter, rule, sample, spellings
from .samples import complex_normal, real_or_complex


def complex_anywhere(make):
    yield sample(complex_normal(make, 2, 3))


@rule(torch.real, getter("real"), samples=real_or_complex)
def real(input):
    """y = Re z: the cotangent has no imaginary part."""
    y = input.real

    def backward(dy):
        dinput = dy.to(input.dtype)
        return dinput

    return y, backward


@rule(torch.imag, getter("imag"), samples=complex_anywhere)
def imag(input):
    """y = Im z = Re(−i·z), hence dz = −i·dy."""
    y = input.imag

    def backward(dy):
        dinput = -1j * dy
        return dinput

    return y, backward


@rule(*spellings("conj", "conj_physical"), samples=real_or_complex)
def conj(input):
    """y = z̄: Re(dy·δ̄) = Re(dȳ·δ), hence dz is the conjugate of dy."""
    y = input.conj()

    def backward(dy):
        dinput = dy.conj()
        return dinput

    return y, backward


@rule(*spellings("angle"), samples=real_or_complex)
def angle(input):
    """The argument θ = Im ln z, so dz = −i·dθ/z; 0 at 0. A real number's is 0 or π, and flat."""
    y = input.angle()

    def backward(dy):
        if input.is_complex():
            dinput = torch.where(input == 0, 0, -1j * dy / input)
        else:
            dinput = torch.zeros_like(dy)
        return dinput

    return y, backward


@rule(*spellings("sgn"), samples=real_or_complex)
def sgn(input):
    """y = z/|z|, and 0 at 0. Of a complex number this is the direction.

    A move along z changes nothing: with Re(dy·y) projected out, dz = (dy − Re(dy·y)·ȳ)/|z|.
    """
    y = input.sgn()

    def backward(dy):
        if input.is_complex():
            radial = (dy * y).real * y.conj()
            dinput = torch.where(input == 0, 0, (dy - radial) / input.abs())
        else:
            dinput = torch.zeros_like(dy)
        return dinput

    return y, backward


def pairs_of_tensors(make):
    yield sample(make(2, 3), make(2, 3))
    yield sample(make(2, 1), make(3))


@rule(torch.complex, samples=pairs_of_tensors)
def complex(real, imag):
    """z = a + i·b: da = Re dz and db = Re(i·dz) = −Im dz."""
    z = torch.complex(real, imag)

    def backward(dz):
        dreal = dz.real.sum_to_size(real.shape)
        dimag = -dz.imag.sum_to_size(imag.shape)
        return dreal, dimag

    return z, backward


def polar_samples(make):
    yield sample(make.positive(2, 3), make(2, 3))
    yield sample(make.positive(2, 1), make(3))


@rule(torch.polar, samples=polar_samples)
def polar(abs, angle):
    """z = r·e^(iθ): dr = Re(dz·e^(iθ)) and dθ = Re(i·z·dz).

    PyTorch reads e^(iθ) off z, so where r is not positive its dr has the other sign, or is 0.
    """
    direction = torch.complex(angle.cos(), angle.sin())
    z = abs * direction

    def backward(dz):
        dabs = (dz * direction).real.sum_to_size(abs.shape)
        dangle = -(dz * z).imag.sum_to_size(angle.shape)
        return dabs, dangle

    return z, backward


@rule(torch.view_as_real, samples=complex_anywhere)
def view_as_real(input):
    """z as pairs of numbers (a, b): dz = da − i·db."""
    y = torch.view_as_real(input)

    def backward(dy):
        da, db = dy.unbind(-1)
        dinput = torch.complex(da, -db)
        return dinput

    return y, backward


@rule(torch.view_as_complex, samples=lambda make: [sample(make(3, 2))])
def view_as_complex(input):
    """Pairs of numbers (a, b) as z = a + i·b: da = Re dz and db = −Im dz."""
    z = torch.view_as_complex(input)

    def backward(dz):
        dinput = torch.stack([dz.real, -dz.imag], -1)
        return dinput

    return z, backward
