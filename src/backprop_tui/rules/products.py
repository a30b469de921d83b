"""Products of vectors and tensors beside the matrix product: cross, Kronecker, inner, powers."""

import torch

from .broadcast import unbroadcast
from .registry import rule, sample, spellings
from .samples import complex_normal


def cross_samples(make):
    yield sample(make(2, 3), make(2, 3))
    yield sample(make(2, 3), make(1, 3))
    yield sample(make(3, 2), make(3, 2), dim=0)


@rule(torch.linalg.cross, samples=cross_samples)
def linalg_cross(input, other, *, dim=-1):
    """y = a × b: as det(dy, a, b) may be rotated, ∂L/∂a = b × dy and ∂L/∂b = dy × a."""
    y = torch.linalg.cross(input, other, dim=dim)

    def backward(dy):
        dinput = unbroadcast(torch.linalg.cross(other.expand_as(dy), dy, dim=dim), input)
        dother = unbroadcast(torch.linalg.cross(dy, input.expand_as(dy), dim=dim), other)
        return dinput, dother

    return y, backward


def torch_cross_samples(make):
    yield sample(make(2, 3), make(2, 3))
    yield sample(make(3, 3), make(3, 3), 1)


@rule(*spellings("cross"), samples=torch_cross_samples)
def cross(input, other, dim=None):
    """As linalg.cross, over the first dimension of size 3 if none is named."""
    dim = list(input.shape).index(3) if dim is None else dim
    y, cross_backward = linalg_cross(input, other, dim=dim)

    def backward(dy):
        dinput, dother = cross_backward(dy)
        return dinput, dother

    return y, backward


def vdot_samples(make):
    yield sample(make(3), make(3))
    yield sample(complex_normal(make, 3), complex_normal(make, 3))


@rule(*spellings("vdot"), samples=vdot_samples)
def vdot(input, other):
    """The inner product y = Σ āᵢ·bᵢ: db = dy·ā, and da is the conjugate of dy·b."""
    y = (input.conj() * other).sum()

    def backward(dy):
        dinput = (dy * other).conj()
        dother = dy * input.conj()
        return dinput, dother

    return y, backward


def vecdot_samples(make):
    yield sample(make(2, 3), make(2, 3))
    yield sample(make(3, 1), make(3, 2), dim=0)
    yield sample(complex_normal(make, 2, 3), complex_normal(make, 3))


@rule(torch.linalg.vecdot, samples=vecdot_samples)
def vecdot(x, y, *, dim=-1):
    """Inner products along one dimension, z = Σ x̄ᵢ·yᵢ: as vdot, for each."""
    products = x.conj() * y
    z = products.sum(dim)

    def backward(dz):
        if products.dim():
            dz = dz.unsqueeze(dim).expand(products.shape)
        dx = unbroadcast((dz * y).conj(), x)
        dy = unbroadcast(dz * x.conj(), y)
        return dx, dy

    return z, backward


def kron_samples(make):
    yield sample(make(2, 3), make(3, 2))
    yield sample(make(2), make(2, 3))


@rule(*spellings("kron"), samples=kron_samples)
def kron(input, other):
    """The Kronecker product: a copy of b in place of each element of a, times that element.

    With the dimensions taken in turns from a and b it is a·b element by element, so each
    receives dy times the other, summed over the copies (Van Loan, 2000,
    doi:10.1016/S0377-0427(00)00393-9).
    """
    count = max(input.dim(), other.dim())
    a = input.reshape([1] * (count - input.dim()) + list(input.shape))
    b = other.reshape([1] * (count - other.dim()) + list(other.shape))
    a_turns = a.reshape([n for size in a.shape for n in (size, 1)])
    b_turns = b.reshape([n for size in b.shape for n in (1, size)])
    product = a_turns * b_turns
    y = product.reshape([n * m for n, m in zip(a.shape, b.shape, strict=True)])

    def backward(dy):
        dproduct = dy.reshape(product.shape)
        dinput = (dproduct * b_turns).sum_to_size(a_turns.shape).reshape(input.shape)
        dother = (dproduct * a_turns).sum_to_size(b_turns.shape).reshape(other.shape)
        return unbroadcast(dinput, input), unbroadcast(dother, other)

    return y, backward


def vander_samples(make):
    yield sample(make(3))
    yield sample(make(2, 3), N=4)


@rule(torch.linalg.vander, samples=vander_samples)
def vander(x, *, N=None):
    """Powers side by side, y[…, j] = xʲ: ∂L/∂x = Σⱼ j·xʲ⁻¹·dyⱼ."""
    y = torch.linalg.vander(x, N=N)

    def backward(dy):
        exponents = torch.arange(1, y.shape[-1], device=x.device)
        slopes = exponents * y[..., :-1]
        dx = (slopes * dy[..., 1:]).sum(-1).reshape(x.shape)
        return dx

    return y, backward
