"""Factors of a matrix: Cholesky, QR, eigenvalues and singular values.

The factors are not independent of each other, so what a cotangent asks of them is first
projected onto what they can do: a triangle stays one, QᴴQ stays the identity. Papers write
these gradients for ∂L/∂X̄, which is the conjugate of our cotangent, so complex ones are
conjugated on the way in and out; for real values `conj` changes nothing.
"""

import torch

from .registry import rule, sample, spellings
from .samples import complex_normal


def positive_definite(make, *batch):
    matrix = make(*batch, 3, 3)
    return matrix @ matrix.mT + torch.eye(3, dtype=make.dtype)


def cholesky_samples(make):
    yield sample(positive_definite(make))
    yield sample(positive_definite(make, 2), upper=True)
    matrix = complex_normal(make, 3, 3)
    yield sample(matrix @ matrix.mH + torch.eye(3, dtype=make.dtype))


@rule(torch.linalg.cholesky, *spellings("cholesky"), samples=cholesky_samples)
def cholesky(A, upper=False):
    """A = L·Lᴴ with L lower triangular, or Lᴴ if `upper`.

    L⁻¹·dA·L⁻ᴴ = L⁻¹·dL + (L⁻¹·dL)ᴴ, and of that sum L⁻¹·dL is the lower triangle with half
    of the diagonal, Φ. Hence ∂L/∂A = L⁻ᴴ·Φ(Lᴴ·dL)·L⁻¹, made Hermitian as A is (Murray,
    2016, arXiv:1602.07527).
    """
    factor = torch.linalg.cholesky(A, upper=upper)
    L = factor.mH if upper else factor

    def backward(dfactor):
        dL = dfactor.mH if upper else dfactor
        dL = dL if upper and A.is_complex() else dL
        asked = (L.mH @ dfactor_of(dL)).tril()
        half = asked - asked.diagonal(0, -2, -1).diag_embed() / 2
        inner = (half + half.mH) / 2
        left = torch.linalg.solve_triangular(L.mH, inner, upper=True)
        dA = torch.linalg.solve_triangular(L, left, upper=False, left=False)
        return dA.conj()

    return factor, backward
