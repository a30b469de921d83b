"""Eigenvalues and eigenvectors, A·V = V·Λ.

As in `decompositions`, gX is the conjugate of the cotangent dX. An eigenvector turns towards
another one by what is asked of it divided by the gap of their eigenvalues, so equal
eigenvalues make infinite gradients. The phase of a complex eigenvector (for a real one, its
sign) is arbitrary, so L must not depend on it.
"""

import torch

from .broadcast import as_dtype
from .decompositions import reciprocal_gaps
from .registry import rule, sample
from .samples import complex_normal


def hermitian_samples(make):
    matrix = make(2, 3, 3)
    yield sample(matrix + matrix.mT)
    yield sample(matrix[0] + matrix[0].mT, UPLO="U")
    matrix = complex_normal(make, 3, 3)
    yield sample(matrix + matrix.mH)


@rule(torch.linalg.eigh, samples=hermitian_samples)
def eigh(A, UPLO="L"):
    """A = V·Λ·Vᴴ of a Hermitian A (Giles, 2008).

    gA = V·(diag(gΛ) + F∘(Vᴴ·gV))·Vᴴ with Fᵢⱼ = 1/(λⱼ − λᵢ), and 0 on the diagonal. V only
    turns, so of Vᴴ·gV the antisymmetric half alone counts, and gA is symmetric as A is.
    """
    eigenvalues, V = torch.linalg.eigh(A, UPLO)

    def backward(deigenvalues, dV):
        F = reciprocal_gaps(eigenvalues)
        VgV = V.mH @ dV.conj()
        turn = F * (VgV - VgV.mH) / 2
        gA = V @ (deigenvalues.diag_embed() + turn) @ V.mH
        dA = gA.conj()
        return dA

    return (eigenvalues, V), backward


@rule(torch.linalg.eigvalsh, samples=hermitian_samples)
def eigvalsh(A, UPLO="L"):
    """The eigenvalues of a Hermitian A: λᵢ = vᵢᴴ·A·vᵢ, hence gA = V·diag(dλ)·Vᴴ."""
    eigenvalues = torch.linalg.eigvalsh(A, UPLO)

    def backward(deigenvalues):
        V = torch.linalg.eigh(A, UPLO).eigenvectors
        gA = V * deigenvalues.unsqueeze(-2) @ V.mH
        dA = gA.conj()
        return dA

    return eigenvalues, backward


def square_samples(make):
    yield sample(make(2, 3, 3))
    yield sample(complex_normal(make, 3, 3))


@rule(torch.linalg.eig, samples=square_samples)
def eig(A):
    """A = V·Λ·V⁻¹, with complex eigenvectors of length 1.

    Without that length gA = V⁻ᴴ·(diag(gΛ) + F̄∘(Vᴴ·gV))·Vᴴ (Giles, 2008). What asks for
    longer eigenvectors, the real diagonal of Vᴴ·gV, is taken out (Boeddeker et al., 2017,
    arXiv:1701.00392).
    """
    eigenvalues, V = torch.linalg.eig(A)

    def backward(deigenvalues, dV):
        F = reciprocal_gaps(eigenvalues)
        VgV = V.mH @ dV.conj()
        longer = V.mH @ V * VgV.diagonal(0, -2, -1).real.unsqueeze(-2)
        turn = F.conj() * (VgV - longer)
        inner = deigenvalues.conj().diag_embed() + turn
        gA = torch.linalg.solve(V.mH, inner @ V.mH)
        dA = as_dtype(gA.conj(), A.dtype)
        return dA

    return (eigenvalues, V), backward


@rule(torch.linalg.eigvals, samples=square_samples)
def eigvals(A):
    """The eigenvalues of any square A: dΛ is the diagonal of V⁻¹·dA·V."""
    eigenvalues = torch.linalg.eigvals(A)

    def backward(deigenvalues):
        V = torch.linalg.eig(A).eigenvectors
        inner = deigenvalues.unsqueeze(-1) * V.mT
        dA = as_dtype(torch.linalg.solve(V.mT, inner), A.dtype)
        return dA

    return eigenvalues, backward
