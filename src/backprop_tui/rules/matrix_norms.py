"""Norms of matrices, and the condition number that is made from them."""

import torch

from .broadcast import as_dtype
from .decompositions import svdvals
from .extreme import amax, amin
from .norms import vector_norm
from .reduce import sum as sum_rule
from .registry import rule, sample


def matrix_norm_samples(make):
    yield sample(make(3, 4))
    yield sample(make(2, 3, 4), "nuc", keepdim=True)
    yield sample(make(2, 3, 4), 2, (0, -1))
    yield sample(make(3, 4), -2)
    yield sample(make(3, 4), 1, keepdim=True)
    yield sample(make(2, 3, 4), -torch.inf, (0, 1))


@rule(torch.linalg.matrix_norm, samples=matrix_norm_samples)
def matrix_norm(A, ord="fro", dim=(-2, -1), keepdim=False, *, dtype=None):
    """The norm of a matrix: of all its elements, of its singular values, or of its largest row.

    - "fro": √Σ|aᵢⱼ|².
    - "nuc", 2, −2: the sum, the largest and the smallest of the singular values.
    - 1, −1: the largest and the smallest of the columns' sums Σ|aᵢⱼ|; ∞, −∞ those of the rows.
    """
    wide = A if dtype is None else A.to(dtype)
    rows, columns = (d % A.dim() for d in dim)
    matrix = wide.movedim((rows, columns), (-2, -1))
    if ord == "fro":
        norms, norm_backward = vector_norm(matrix, 2, (-2, -1))
    elif ord == "nuc":
        singular_values, norm_backward = svdvals(matrix)
        norms, extreme_backward = sum_rule(singular_values, -1)
    elif abs(ord) == 2:
        singular_values, norm_backward = svdvals(matrix)
        extreme = amax if ord > 0 else amin
        norms, extreme_backward = extreme(singular_values, -1)
    else:
        sums, norm_backward = vector_norm(matrix, 1, -2 if abs(ord) == 1 else -1)
        extreme = amax if ord > 0 else amin
        norms, extreme_backward = extreme(sums, -1)
    y = norms
    if keepdim:
        y = norms.reshape([1 if d in (rows, columns) else n for d, n in enumerate(A.shape)])

    def backward(dy):
        dnorms = dy.reshape(norms.shape)
        dparts = dnorms if ord == "fro" else extreme_backward(dnorms)
        dmatrix = norm_backward(dparts)
        dA = as_dtype(dmatrix.movedim((-2, -1), (rows, columns)), A.dtype)
        return dA

    return y, backward


def norm_samples(make):
    yield sample(make(3, 4))
    yield sample(make(3, 4), 3, 1)
    yield sample(make(4), 1)
    yield sample(make(3, 4), 1)
    yield sample(make(2, 3, 4), "nuc", (0, 1))


@rule(torch.linalg.norm, samples=norm_samples)
def linalg_norm(A, ord=None, dim=None, keepdim=False, *, dtype=None):
    """The norm of a matrix where two dimensions and an order are given, else that of a vector."""
    over = A.dim() if dim is None else 1 if isinstance(dim, int) else len(dim)
    if ord is not None and over == 2:
        dims = (0, 1) if dim is None else dim
        y, norm_backward = matrix_norm(A, ord, dims, keepdim, dtype=dtype)
    else:
        y, norm_backward = vector_norm(A, 2 if ord is None else ord, dim, keepdim, dtype=dtype)

    def backward(dy):
        dA = norm_backward(dy)
        return dA

    return y, backward


def cond_samples(make):
    yield sample(make(3, 4))
    yield sample(make(2, 3, 3), -2)


@rule(torch.linalg.cond, samples=cond_samples)
def cond(A, p=None):
    """The condition number, the ratio of the largest and the smallest singular value, σ₁/σₙ.

    For p = −2 it is σₙ/σ₁. Other norms, ‖A‖·‖A⁻¹‖, autograd itself fails to differentiate.
    """
    if p not in (None, 2, -2):
        raise NotImplementedError(f"the condition number for p = {p}")
    values, values_backward = svdvals(A)
    first, last = (-1, 0) if p == -2 else (0, -1)
    y = values[..., first] / values[..., last]

    def backward(dy):
        dvalues = torch.zeros_like(values)
        dvalues[..., first] += dy / values[..., last]
        dvalues[..., last] -= dy * y / values[..., last]
        dA = values_backward(dvalues)
        return dA

    return y, backward
