"""A = P·L·U: a lower triangle with ones on its diagonal, an upper one, and rows reordered.

The pivots P are chosen, not computed: a small move of A does not change them.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from .linalg import invertible, solve
from .registry import rule, sample, spellings


def lu_cotangent(P, L, U, dL, dU):
    """dA of A = P·L·U, by the triangle that each part belongs to.

    L⁻¹·Pᵀ·dA·U⁻¹ = L⁻¹·dL + dU·U⁻¹: a strictly lower triangle plus an upper one. So for a
    square A, dA = P·L⁻ᵀ·(tril(Lᵀ·dL, −1) + triu(dU·Uᵀ))·U⁻ᵀ. The rows of L below the square
    and the columns of U beside it follow from the square ones, and add to what is asked of
    these (de Hoog, Anderssen and Lukas, 2011, "Differentiation of matrix functionals using
    triangular factorization").
    """
    k = min(L.shape[-2], U.shape[-1])
    L1, L2, U1, U2 = L[..., :k, :], L[..., k:, :], U[..., :k], U[..., k:]
    dL1, dL2, dU1, dU2 = dL[..., :k, :], dL[..., k:, :], dU[..., :k], dU[..., k:]
    lower = (L1.mT @ dL1 - dU2 @ U2.mT).tril(-1)
    upper = (dU1 @ U1.mT - L2.mT @ dL2).triu()
    right = {"upper": False, "left": False}
    square = torch.linalg.solve_triangular(U1.mT, lower + upper, **right)
    beside = torch.cat([square, dU2], -1)
    top = torch.linalg.solve_triangular(L1.mT, beside, upper=True, unitriangular=True)
    bottom = torch.linalg.solve_triangular(U1.mT, dL2, **right)
    return P @ torch.cat([top, bottom], -2) if L2.shape[-2] else P @ top


def lu_samples(make):
    yield sample(invertible(make))
    yield sample(make(2, 3, 4))
    yield sample(make(4, 2))


@rule(torch.linalg.lu, samples=lu_samples)
def linalg_lu(A, *, pivot=True):
    """A = P·L·U, with P as a matrix."""
    P, L, U = torch.linalg.lu(A, pivot=pivot)
    order = P if pivot else torch.eye(L.shape[-2], dtype=L.dtype, device=L.device)

    def backward(dP, dL, dU):
        dA = lu_cotangent(order, L, U, dL, dU)
        return dA

    return (P, L, U), backward


@rule(torch.linalg.lu_factor, samples=lu_samples)
def lu_factor(A, *, pivot=True):
    """As linalg.lu, with L and U stored in one matrix, and the swaps of rows as numbers."""
    LU, pivots, _ = torch.linalg.lu_factor_ex(A, pivot=pivot)
    P, L, U = torch.lu_unpack(LU, pivots)

    def backward(dLU, dpivots=None):
        dL, dU = dLU[..., : L.shape[-1]], dLU[..., : U.shape[-2], :]
        dA = lu_cotangent(P, L, U, dL, dU)
        return dA

    return (LU, pivots), backward


@rule(torch.linalg.lu_factor_ex, samples=lu_samples)
def lu_factor_ex(A, *, pivot=True, check_errors=False):
    """As lu_factor, with a number for each matrix that says whether U is invertible."""
    (LU, pivots), factor_backward = lu_factor(A, pivot=pivot)
    info = torch.linalg.lu_factor_ex(A, pivot=pivot, check_errors=check_errors).info

    def backward(dLU, dpivots, dinfo):
        dA = factor_backward(dLU)
        return dA

    return (LU, pivots, info), backward


@rule(torch.lu, Tensor.lu, samples=lu_samples)
def torch_lu(A, pivot=True, get_infos=False, out=None):
    """As linalg.lu_factor_ex, which it was called before."""
    (LU, pivots, info), factor_backward = lu_factor_ex(A, pivot=pivot)

    def backward(dLU, dpivots, dinfo=None):
        dA = factor_backward(dLU, None, None)
        return dA

    return ((LU, pivots, info) if get_infos else (LU, pivots)), backward


def unpack_samples(make):
    yield sample(*torch.linalg.lu_factor(make(3, 3)))
    yield sample(*torch.linalg.lu_factor(make(2, 3, 4)))
    yield sample(*torch.linalg.lu_factor(make(4, 2)), unpack_pivots=False)


@rule(torch.lu_unpack, samples=unpack_samples)
def lu_unpack(LU_data, LU_pivots, unpack_data=True, unpack_pivots=True):
    """P, L and U out of the one matrix that stores both factors."""
    P, L, U = torch.lu_unpack(LU_data, LU_pivots, unpack_data, unpack_pivots)
    m, n = LU_data.shape[-2:]

    def backward(dP, dL, dU):
        lower = resize(dL.tril(-1), m, n)
        upper = resize(dU.triu(), m, n)
        dLU_data = lower + upper
        return dLU_data

    return (P, L, U), backward


def resize(matrix, rows, columns):
    """A matrix with zeros below it and beside it."""
    return F.pad(matrix, (0, columns - matrix.shape[-1], 0, rows - matrix.shape[-2]))


def lu_solve_samples(make):
    LU, pivots = torch.linalg.lu_factor(invertible(make))
    yield sample(LU, pivots, make(3, 2))
    yield sample(LU, pivots, make(2, 2, 3), left=False)
    yield sample(LU, pivots, make(3, 2), adjoint=True)
    LU, pivots = torch.linalg.lu_factor(torch.complex(invertible(make), make(3, 3)))
    yield sample(LU, pivots, make(2, 3) * 1j, left=False, adjoint=True)


@rule(torch.linalg.lu_solve, samples=lu_solve_samples)
def linalg_lu_solve(LU, pivots, B, *, left=True, adjoint=False):
    """X = A⁻¹·B by the factors of A (or of Aᴴ): A is put together, solved with, and taken apart.

    ∂L/∂A as for solve. Then A = P·L·U gives dL = Pᵀ·dA·Uᵀ and dU = Lᵀ·Pᵀ·dA.
    """
    P, L, U = torch.lu_unpack(LU, pivots)
    A = P @ L @ U
    X, solve_backward = solve(A.mH if adjoint else A, B, left=left)

    def backward(dX):
        dsystem, dB = solve_backward(dX)
        dA = P.mT @ (dsystem.mH if adjoint else dsystem)
        dL = dA @ U.mT
        dU = L.mT @ dA
        dLU = dL.tril(-1) + dU.triu()
        return dLU, None, dB

    return X, backward


def torch_lu_solve_samples(make):
    yield sample(make(3, 2), *torch.linalg.lu_factor(invertible(make)))
    yield sample(make(2, 3, 2), *torch.linalg.lu_factor(invertible(make)))


@rule(*spellings("lu_solve"), samples=torch_lu_solve_samples)
def torch_lu_solve(b, LU_data, LU_pivots):
    """As linalg.lu_solve, with b in front."""
    X, solve_backward = linalg_lu_solve(LU_data, LU_pivots, b)

    def backward(dX):
        dLU_data, _, db = solve_backward(dX)
        return db, dLU_data

    return X, backward
