"""Functions of a matrix as a whole: powers, the exponential, and the products of many."""

import torch

from .linalg import inv, invertible
from .registry import rule, sample, spellings


def power_samples(make):
    yield sample(make(3, 3), 3)
    yield sample(make(2, 3, 3), 1)
    yield sample(make(3, 3), 0)
    yield sample(invertible(make), -2)


@rule(torch.linalg.matrix_power, *spellings("matrix_power"), samples=power_samples)
def matrix_power(A, n):
    """Y = A·A·…·A: each factor receives what is left of dY between those before and behind it.

    ∂L/∂A = Σₖ (Aᵀ)ᵏ·dY·(Aᵀ)ⁿ⁻¹⁻ᵏ; for n < 0 the same of A⁻¹.
    """
    Y = torch.linalg.matrix_power(A, n)
    if n < 0:
        base, inv_backward = inv(A)
    else:
        base = A

    def backward(dY):
        dbase = torch.zeros_like(A)
        for k in range(abs(n)):
            before = torch.linalg.matrix_power(base.mT, k)
            behind = torch.linalg.matrix_power(base.mT, abs(n) - 1 - k)
            dbase = dbase + before @ dY @ behind
        dA = inv_backward(dbase) if n < 0 else dbase
        return dA

    return Y, backward


def square_samples(make):
    yield sample(make(3, 3))
    yield sample(make(2, 2, 2))
    yield sample(torch.complex(make(2, 2), make(2, 2)))


@rule(*spellings("matrix_exp"), torch.linalg.matrix_exp, samples=square_samples)
def matrix_exp(A):
    """Y = Σₖ Aᵏ/k!: its derivative in one direction stands in a corner of a larger exponential.

    exp [[Aᵀ, dY], [0, Aᵀ]] = [[Yᵀ, dA], [0, Yᵀ]] (Najfeld and Havel, 1995; Al-Mohy and
    Higham, 2009, doi:10.1137/080716426).
    """
    Y = torch.linalg.matrix_exp(A)
    n = A.shape[-1]

    def backward(dY):
        top = torch.cat([A.mT, dY], -1)
        bottom = torch.cat([torch.zeros_like(A), A.mT], -1)
        larger = torch.linalg.matrix_exp(torch.cat([top, bottom], -2))
        dA = larger[..., :n, n:]
        return dA

    return Y, backward


def multi_dot_samples(make):
    yield sample([make(2, 3), make(3, 4), make(4, 2)])
    yield sample([make(3), make(3, 4), make(4)])


def as_matrices(tensors):
    """A vector that comes first is a matrix of one row, one that comes last of one column."""
    first, *between, last = tensors
    first = first.unsqueeze(0) if first.dim() == 1 else first
    last = last.unsqueeze(1) if last.dim() == 1 else last
    return [first, *between, last]


def factors_cotangents(matrices, dY):
    """∂L/∂Aᵢ = (A₁…Aᵢ₋₁)ᵀ·dY·(Aᵢ₊₁…Aₙ)ᵀ, from the left to the right."""
    dfactors = []
    for i, _ in enumerate(matrices):
        dfactor = dY
        for before in matrices[:i]:
            dfactor = before.mT @ dfactor
        for behind in reversed(matrices[i + 1 :]):
            dfactor = dfactor @ behind.mT
        dfactors.append(dfactor)
    return dfactors


@rule(torch.linalg.multi_dot, samples=multi_dot_samples)
def multi_dot(tensors):
    """The product of many matrices, in the cheapest order (Cormen et al., matrix chains).

    ∂L/∂Aᵢ = (A₁…Aᵢ₋₁)ᵀ·dY·(Aᵢ₊₁…Aₙ)ᵀ.
    """
    matrices = as_matrices(tensors)
    Y = torch.linalg.multi_dot(tensors)

    def backward(dY):
        dY = dY.reshape(matrices[0].shape[0], matrices[-1].shape[1])
        dfactors = factors_cotangents(matrices, dY)
        dtensors = [d.reshape(t.shape) for d, t in zip(dfactors, tensors, strict=True)]
        return dtensors

    return Y, backward


def chain_samples(make):
    yield sample(make(2, 3), make(3, 4), make(4, 2))
    yield sample(make(2, 3))


@rule(torch.chain_matmul, samples=chain_samples)
def chain_matmul(*matrices):
    """The product of many matrices, in the cheapest order."""
    Y = torch.linalg.multi_dot(matrices) if len(matrices) > 1 else matrices[0].clone()

    def backward(dY):
        dmatrices = tuple(factors_cotangents(matrices, dY))
        return dmatrices

    return Y, backward
