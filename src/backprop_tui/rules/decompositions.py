"""Factors of a matrix: Cholesky, QR, eigenvalues and singular values.

The factors are not free, so what is asked of them is first brought to what they can do: a
triangle stays a triangle, and Q a rotation. Papers write these derivations for ∂L/∂X̄, here
gX, which is the conjugate of the cotangent dX. For real values `conj` changes nothing.
"""

import torch

from .broadcast import unbroadcast
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
    """A = L·Lᴴ with L lower triangular; `upper` asks for Lᴴ.

    L⁻¹·dA·L⁻ᴴ = L⁻¹·dL + (L⁻¹·dL)ᴴ, where L⁻¹·dL is the lower triangle of the sum with half
    of its diagonal, Φ. Hence gA = L⁻ᴴ·Φ(Lᴴ·gL)·L⁻¹, made symmetric as A is (Murray, 2016,
    arXiv:1602.07527).
    """
    factor = torch.linalg.cholesky_ex(A, upper=upper).L
    L = factor.mH if upper else factor

    def backward(dfactor):
        gL = dfactor.mT if upper else dfactor.conj()
        triangle = (L.mH @ gL).tril()
        symmetric = (triangle + triangle.tril(-1).mH) / 2
        left = torch.linalg.solve_triangular(L.mH, symmetric, upper=True)
        gA = torch.linalg.solve_triangular(L, left, upper=False, left=False)
        dA = gA.conj()
        return dA

    return factor, backward


@rule(torch.linalg.cholesky_ex, samples=cholesky_samples)
def cholesky_ex(A, *, upper=False, check_errors=False):
    """As cholesky, with a number for each matrix that says whether it has such factors."""
    factor, cholesky_backward = cholesky(A, upper)
    info = torch.linalg.cholesky_ex(A, upper=upper, check_errors=check_errors).info

    def backward(dfactor, dinfo):
        dA = cholesky_backward(dfactor)
        return dA

    return (factor, info), backward


def factor(make, *batch):
    """A lower triangle with a positive diagonal."""
    return make(*batch, 3, 3).tril(-1) + torch.diag_embed(make.positive(*batch, 3))


def cholesky_inverse_samples(make):
    yield sample(factor(make))
    yield sample(factor(make, 2).mT, upper=True)


@rule(*spellings("cholesky_inverse"), samples=cholesky_inverse_samples)
def cholesky_inverse(L, upper=False):
    """Y = (L·Lᴴ)⁻¹, or (Lᴴ·L)⁻¹ if upper: gA = −Yᴴ·gY·Yᴴ, and gL = (gA + gAᴴ)·L.

    Of L one triangle is read; as PyTorch does, gL is not cut down to it.
    """
    Y = torch.cholesky_inverse(L, upper)

    def backward(dY):
        gY = dY.conj()
        gA = -Y @ gY @ Y
        gL = L @ (gA + gA.mH) if upper else (gA + gA.mH) @ L
        dL = gL.conj()
        return dL

    return Y, backward


def cholesky_solve_samples(make):
    yield sample(make(3, 2), factor(make))
    yield sample(make(2, 3, 2), factor(make).mT, upper=True)


@rule(*spellings("cholesky_solve"), samples=cholesky_solve_samples)
def cholesky_solve(B, L, upper=False):
    """X = A⁻¹·B with A = L·Lᴴ, or Lᴴ·L if upper: gB = A⁻¹·gX, gA = −gB·Xᴴ, gL = (gA + gAᴴ)·L.

    Of L one triangle is read; as PyTorch does, gL is not cut down to it.
    """
    X = torch.cholesky_solve(B, L, upper)

    def backward(dX):
        gB = torch.cholesky_solve(dX.conj(), L, upper)
        gA = -gB @ X.mH
        gL = L @ (gA + gA.mH) if upper else (gA + gA.mH) @ L
        dB = unbroadcast(gB.conj(), B)
        dL = unbroadcast(gL.conj(), L)
        return dB, dL

    return X, backward


# QR


def qr_samples(make):
    yield sample(make(4, 3))
    yield sample(make(2, 3, 3))
    yield sample(make(2, 4))
    yield sample(complex_normal(make, 3, 2))


def qr_gradient(Q, R, gQ, gR):
    """gA of A = Q·R with R square.

    With M = R·gRᴴ − gQᴴ·Q, whose lower triangle mirrored to the upper one is copyltu(M):
    gA = (gQ + Q·copyltu(M))·R⁻ᴴ (Walter and Lehmann, 2010, arXiv:1001.1654).
    """
    M = R @ gR.mH - gQ.mH @ Q
    lower = M.tril(-1)
    copyltu = lower + lower.mH + M.diagonal(0, -2, -1).real.diag_embed()
    return torch.linalg.solve_triangular(R.mH, gQ + Q @ copyltu, upper=False, left=False)


@rule(torch.linalg.qr, samples=qr_samples)
def qr(A, mode="reduced"):
    """A = Q·R with orthonormal columns in Q and an upper triangle R.

    Of a wide A = (X|Y) and R = (U|V), the first columns give X = Q·U, and V = Qᴴ·Y only
    follows: gY = Q·gV, and Q receives Y·gVᴴ in addition.
    """
    Q, R = torch.linalg.qr(A, mode)
    m = A.shape[-2]
    U, Y = R[..., :m], A[..., m:]

    def backward(dQ, dR):
        gQ = dQ.conj()
        gU, gV = dR[..., :m].conj(), dR[..., m:].conj()
        gY = Q @ gV
        gQ = gQ + Y @ gV.mH
        gX = qr_gradient(Q, U, gQ, gU)
        gA = torch.cat([gX, gY], -1)
        dA = gA.conj()
        return dA

    return (Q, R), backward


@rule(*spellings("qr"), samples=qr_samples)
def torch_qr(input, some=True):
    """As torch.linalg.qr, which it was called before."""
    return qr(input, "reduced" if some else "complete")


# Singular values


def svd_gradient(U, S, Vh, gU, gS, gVh):
    """gA of A = U·Σ·Vᴴ (Townsend, 2016, "Differentiating the singular value decomposition").

    Turning of U and V among themselves comes out divided by the gaps σⱼ² − σᵢ²; what asks
    U or V to leave the space of their columns comes out divided by σ. The phase of complex
    columns is arbitrary, so L must not depend on it.
    """
    inverse_gaps = reciprocal_gaps(S * S)
    UgU = U.mH @ gU
    VgV = Vh @ gVh.mH
    turn_left = (UgU - UgU.mH) * inverse_gaps
    turn_right = (VgV - VgV.mH) * inverse_gaps
    inner = turn_left * S.unsqueeze(-2) + S.unsqueeze(-1) * turn_right + gS.diag_embed()
    if U.is_complex():
        phase = UgU.diagonal(0, -2, -1).imag / S
        inner = inner + 1j * phase.diag_embed()
    gA = U @ inner @ Vh
    if U.shape[-2] > S.shape[-1]:
        leave = gU / S.unsqueeze(-2)
        gA = gA + (leave - U @ (U.mH @ leave)) @ Vh
    if Vh.shape[-1] > S.shape[-1]:
        leave = gVh / S.unsqueeze(-1)
        gA = gA + U @ (leave - (leave @ Vh.mH) @ Vh)
    return gA


def reciprocal_gaps(values):
    """1/(λⱼ − λᵢ) at row i and column j, and 0 on the diagonal."""
    identity = torch.eye(values.shape[-1], dtype=values.dtype, device=values.device)
    gaps = values.unsqueeze(-2) - values.unsqueeze(-1)
    return 1 / (gaps + identity) - identity


def svd_samples(make):
    yield sample(make(4, 3), full_matrices=False)
    yield sample(make(2, 2, 4), full_matrices=False)
    yield sample(make(3, 3))
    yield sample(complex_normal(make, 3, 2), full_matrices=False)


@rule(torch.linalg.svd, samples=svd_samples)
def svd(A, full_matrices=True, *, driver=None):
    """A = U·Σ·Vᴴ. The columns that fill up U and V are arbitrary, and what asks of them is lost."""
    U, S, Vh = torch.linalg.svd(A, full_matrices, driver=driver)
    k = S.shape[-1]

    def backward(dU, dS, dVh):
        gU, gS, gVh = dU[..., :k].conj(), dS, dVh[..., :k, :].conj()
        gA = svd_gradient(U[..., :k], S, Vh[..., :k, :], gU, gS, gVh)
        dA = gA.conj()
        return dA

    return (U, S, Vh), backward


def torch_svd_samples(make):
    yield sample(make(4, 3))
    yield sample(make(2, 2, 4))
    yield sample(make(2, 3), compute_uv=False)


@rule(*spellings("svd"), samples=torch_svd_samples)
def torch_svd(input, some=True, compute_uv=True):
    """As torch.linalg.svd, but gives V, not Vᴴ; or zeros for U and V."""
    if compute_uv:
        (U, S, Vh), svd_backward = svd(input, not some)
        V = Vh.mH
    else:
        S, values_backward = svdvals(input)
        U, V = (input.new_zeros(*input.shape[:-2], n, n) for n in input.shape[-2:])

    def backward(dU, dS, dV):
        dinput = svd_backward(dU, dS, dV.mH) if compute_uv else values_backward(dS)
        return dinput

    return (U, S, V), backward


def matrices(make):
    yield sample(make(4, 3))
    yield sample(make(2, 2, 4))
    yield sample(complex_normal(make, 3, 2))


@rule(torch.linalg.svdvals, samples=matrices)
def svdvals(A, *, driver=None):
    """The singular values: σᵢ = uᵢᴴ·A·vᵢ, hence gA = U·diag(dσ)·Vᴴ."""
    S = torch.linalg.svdvals(A, driver=driver)

    def backward(dS):
        U, _, Vh = torch.linalg.svd(A, full_matrices=False)
        gA = (U * dS.unsqueeze(-2)) @ Vh
        dA = gA.conj()
        return dA

    return S, backward
