"""Inverses, systems of equations, determinants and powers of matrices.

One fact carries them: d(A⁻¹) = −A⁻¹·dA·A⁻¹. Gradients follow Giles, 2008, "Collected matrix
derivative results for forward and reverse mode algorithmic differentiation".
"""

import torch

from .broadcast import unbroadcast
from .reduce import prod
from .registry import rule, sample, spellings


def invertible(make, *batch, n=3):
    """Matrices far from singular: normal ones about 4 times the identity."""
    return make(*batch, n, n) + 4 * torch.eye(n, dtype=make.dtype)


def invertible_samples(make):
    yield sample(invertible(make))
    yield sample(invertible(make, 2))
    yield sample(torch.complex(invertible(make), make(3, 3)))


@rule(torch.linalg.inv, *spellings("inverse"), samples=invertible_samples)
def inv(A):
    """Y = A⁻¹: from d(A⁻¹) = −A⁻¹·dA·A⁻¹ comes ∂L/∂A = −Yᵀ·dY·Yᵀ."""
    Y = torch.linalg.inv(A)

    def backward(dY):
        dA = -Y.mT @ dY @ Y.mT
        return dA

    return Y, backward


@rule(torch.linalg.inv_ex, samples=invertible_samples)
def inv_ex(A, *, check_errors=False):
    """As inv, with a number for each matrix that says whether it could be inverted."""
    Y, info = torch.linalg.inv_ex(A, check_errors=check_errors)

    def backward(dY, dinfo):
        dA = -Y.mT @ dY @ Y.mT
        return dA

    return (Y, info), backward


def is_vector(A, B):
    """Whether torch takes B for a vector, or a batch of vectors, in A·X = B."""
    return B.dim() == 1 or (A.dim() - 1 == B.dim() and A.shape[:-1] == B.shape)


def solve_samples(make):
    yield sample(invertible(make), make(3, 2))
    yield sample(invertible(make, 2), make(3, 2))
    yield sample(invertible(make), make(3))
    yield sample(invertible(make), make(2, 2, 3), left=False)
    yield sample(torch.complex(invertible(make), make(3, 3)), make(3, 2) * 1j)


@rule(torch.linalg.solve, samples=solve_samples)
def solve(A, B, *, left=True):
    """X = A⁻¹·B, or B·A⁻¹ if not left: dB = A⁻ᵀ·dX solves the transposed system.

    And dA = −A⁻ᵀ·dX·Xᵀ = −dB·Xᵀ, from dX = A⁻¹·(dB − dA·X).
    """
    vector = is_vector(A, B)
    right_side = B.unsqueeze(-1) if vector else B
    X = torch.linalg.solve_ex(A, right_side, left=left).result

    def backward(dX):
        if vector:
            dX = dX.unsqueeze(-1)
        dB = torch.linalg.solve_ex(A.mT, dX, left=left).result
        dA = -dB @ X.mT if left else -X.mT @ dB
        dA = dA.sum_to_size(A.shape)
        dB = dB.sum_to_size(right_side.shape).reshape(B.shape)
        return dA, dB

    return (X.squeeze(-1) if vector else X), backward


@rule(torch.linalg.solve_ex, samples=solve_samples)
def solve_ex(A, B, *, left=True, check_errors=False):
    """As solve, with a number for each matrix that says whether it could be inverted."""
    X, solve_backward = solve(A, B, left=left)
    info = torch.linalg.solve_ex(A, B, left=left, check_errors=check_errors).info

    def backward(dX, dinfo):
        dA, dB = solve_backward(dX)
        return dA, dB

    return (X, info), backward


def triangle(matrix, upper, unitriangular=False):
    """The part of a matrix that a triangular solver reads."""
    inside = 1 if unitriangular else 0
    return matrix.triu(inside) if upper else matrix.tril(-inside)


def solve_triangular_samples(make):
    yield sample(invertible(make).triu(), make(3, 2), upper=True)
    yield sample(invertible(make), make(2, 2, 3), upper=False, left=False)
    yield sample(make(2, 3, 3), make(3, 2), upper=False, unitriangular=True)


@rule(torch.linalg.solve_triangular, samples=solve_triangular_samples)
def solve_triangular(A, B, *, upper, left=True, unitriangular=False):
    """As solve, of a triangular A: what is not read receives nothing."""
    options = {"left": left, "unitriangular": unitriangular}
    X = torch.linalg.solve_triangular(A, B, upper=upper, **options)

    def backward(dX):
        dB = torch.linalg.solve_triangular(A.mT, dX, upper=not upper, **options)
        dA = -dB @ X.mT if left else -X.mT @ dB
        dA = unbroadcast(triangle(dA, upper, unitriangular), A)
        dB = unbroadcast(dB, B)
        return dA, dB

    return X, backward


def triangular_solve_samples(make):
    yield sample(make(3, 2), invertible(make))
    yield sample(make(3, 2), invertible(make, 2), upper=False, transpose=True)
    yield sample(make(3, 2), make(3, 3), unitriangular=True)


@rule(*spellings("triangular_solve"), samples=triangular_solve_samples)
def triangular_solve(b, A, upper=True, transpose=False, unitriangular=False):
    """As solve_triangular, of A or Aᵀ, and A again, broadcast."""
    X, coefficients = torch.triangular_solve(b, A, upper, transpose, unitriangular)

    def backward(dX, dcoefficients):
        db = torch.triangular_solve(dX, A, upper, not transpose, unitriangular).solution
        dsystem = -db @ X.mT
        dA = triangle(dsystem.mT if transpose else dsystem, upper, unitriangular)
        dA = (dA + dcoefficients).sum_to_size(A.shape)
        db = db.sum_to_size(b.shape)
        return db, dA

    return (X, coefficients), backward


# Determinants


def det_samples(make):
    yield from invertible_samples(make)
    yield sample(make(3, 2) @ make(2, 3))


@rule(torch.linalg.det, *spellings("det"), samples=det_samples)
def det(A):
    """y = det A: ∂L/∂A = dy·C with the cofactors C, which are det(A)·A⁻ᵀ (Jacobi's formula).

    A singular matrix has cofactors, too. With A = U·Σ·Vᴴ they are those of Σ, the products
    of all its other elements, turned: C = det(U)·det(Vᴴ)·U*·cof(Σ)·V*ᴴ.
    """
    y = torch.linalg.det(A)

    def backward(dy):
        U, S, Vh = torch.linalg.svd(A)
        _, others = prod(S, -1)
        cofactors = others(torch.ones_like(S[..., 0] if S.shape[-1] else S.sum(-1)))
        turned = torch.linalg.det(U) * torch.linalg.det(Vh)
        C = turned[..., None, None] * (U * cofactors.unsqueeze(-2) @ Vh).conj()
        dA = dy[..., None, None] * C
        return dA

    return y, backward


@rule(torch.linalg.slogdet, *spellings("slogdet"), samples=invertible_samples)
def slogdet(A):
    """The sign and ln|det A|: d ln det A = tr(A⁻¹·dA), of which ln|det A| is the real part.

    The sign of a real determinant is flat. That of a complex one is e^(iθ), and θ is the
    imaginary part, so with dθ = Re(i·dsign·sign) it adds −i·dθ.
    """
    sign, logabsdet = torch.linalg.slogdet(A)

    def backward(dsign, dlogabsdet):
        dlogdet = dlogabsdet
        if A.is_complex():
            dlogdet = torch.complex(dlogabsdet, (dsign * sign).imag)
        dA = dlogdet[..., None, None] * torch.linalg.inv(A).mT
        return dA

    return (sign, logabsdet), backward


def positive_determinant(make):
    yield sample(torch.diag_embed(make.positive(3)) + make(3, 3).triu(1))


@rule(*spellings("logdet"), samples=positive_determinant)
def logdet(A):
    """y = ln det A: ∂L/∂A = dy·A⁻ᵀ."""
    y = torch.logdet(A)

    def backward(dy):
        dA = dy[..., None, None] * torch.linalg.inv(A).mT
        return dA

    return y, backward


# Tensors taken for matrices


def tensorinv_samples(make):
    yield sample(invertible(make, n=6).reshape(6, 2, 3), 1)


@rule(torch.linalg.tensorinv, samples=tensorinv_samples)
def tensorinv(A, ind=2):
    """The inverse of a tensor whose first `ind` dimensions are the rows of a matrix."""
    rows, columns = A.shape[:ind], A.shape[ind:]
    matrix, inv_backward = inv(A.reshape(rows.numel(), columns.numel()))
    Y = matrix.reshape(columns + rows)

    def backward(dY):
        dmatrix = dY.reshape(matrix.shape)
        dA = inv_backward(dmatrix).reshape(A.shape)
        return dA

    return Y, backward


def tensorsolve_samples(make):
    yield sample(invertible(make, n=6).reshape(2, 3, 6), make(2, 3))
    yield sample(invertible(make, n=6).reshape(6, 2, 3), make(2, 3), (0,))


@rule(torch.linalg.tensorsolve, samples=tensorsolve_samples)
def tensorsolve(A, B, dims=None):
    """X with Σ A[i…, j…]·X[j…] = B[i…]: a system of equations, once A is a matrix."""
    dims = () if dims is None else dims
    last = tuple(range(-len(dims), 0))
    moved = A.movedim(dims, last)
    X, solve_backward = solve(moved.reshape(B.numel(), B.numel()), B.reshape(-1))

    def backward(dX):
        dmatrix, dB = solve_backward(dX.reshape(-1))
        dA = dmatrix.reshape(moved.shape).movedim(last, dims)
        return dA, dB.reshape(B.shape)

    return X.reshape(moved.shape[B.dim() :]), backward
