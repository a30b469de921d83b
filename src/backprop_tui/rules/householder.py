"""Products of Householder reflections, Hᵢ = I − τᵢ·vᵢ·vᵢᴴ: how LAPACK stores an orthogonal Q."""

import torch

from .registry import rule, sample, spellings


def reflectors(A, count):
    """The vectors vᵢ: what stands below the diagonal of column i, under a 1."""
    columns = A[..., :count]
    identity = torch.eye(*columns.shape[-2:], dtype=A.dtype, device=A.device)
    return columns.tril(-1) + identity


def reflect(A, tau, C, adjoint=False):
    """H₁·…·Hₖ·C, or its adjoint Hₖᴴ·…·H₁ᴴ·C, one reflection after the other.

    One reflection is X = C − τ·v·(vᴴ·C). With gX the conjugate of dX, it gives
    gτ = −(vᴴ·C)*·(vᴴ·gX), gv = −τ*·gX·(vᴴ·C)ᴴ − τ·C·(gXᴴ·v) and gC = Hᴴ·gX.
    """
    V = reflectors(A, tau.shape[-1])
    scales = tau.conj() if adjoint else tau
    count = tau.shape[-1]
    order = list(range(count)) if adjoint else list(reversed(range(count)))
    before = {}
    X = C
    for i in order:
        before[i] = X
        v, scale = V[..., i : i + 1], scales[..., i, None, None]
        X = X - scale * v @ (v.mH @ X)

    def backward(dX):
        gX = dX.conj()
        gV, gscales = torch.zeros_like(V), torch.zeros_like(tau)
        for i in reversed(order):
            v, scale = V[..., i : i + 1], scales[..., i, None, None]
            along, asked = v.mH @ before[i], v.mH @ gX
            gscales[..., i] = -(along.conj() * asked).sum((-2, -1))
            gv = -scale.conj() * gX @ along.mH - scale * before[i] @ asked.mH
            gV[..., i : i + 1] = gv
            gX = gX - scale.conj() * v @ asked
        gtau = gscales.conj() if adjoint else gscales
        beside = torch.zeros_like(A[..., count:])
        gA = torch.cat([gV.tril(-1), beside], -1)
        return gA.conj(), gtau.conj(), gX.conj()

    return X, backward


def householder_samples(make):
    yield sample(make(4, 3), make(3))
    yield sample(make(2, 3, 3), make(2, 2))
    yield sample(torch.complex(make(3, 2), make(3, 2)), torch.complex(make(2), make(2)))


@rule(
    torch.linalg.householder_product,
    *spellings("orgqr"),
    samples=householder_samples,
)
def householder_product(input, tau):
    """Q = H₁·…·Hₖ, as many columns of it as A has: the reflections of the unit vectors."""
    m, n = input.shape[-2:]
    unit = torch.eye(m, n, dtype=input.dtype, device=input.device)
    Q, reflect_backward = reflect(input, tau, unit.expand(input.shape))

    def backward(dQ):
        dinput, dtau, _ = reflect_backward(dQ)
        return dinput, dtau

    return Q, backward


def ormqr_samples(make):
    yield sample(make(4, 3), make(3), make(4, 2))
    yield sample(make(3, 2), make(2), make(2, 3), left=False)
    yield sample(make(3, 2), make(2), make(2, 3), left=False, transpose=True)


@rule(*spellings("ormqr"), samples=ormqr_samples)
def ormqr(input, tau, other, left=True, transpose=False):
    """Q·C, Qᴴ·C, C·Q or C·Qᴴ with Q = H₁·…·Hₖ; from the right, as (Qᴴ·Cᴴ)ᴴ."""
    C = other if left else other.mH
    X, reflect_backward = reflect(input, tau, C, adjoint=transpose == left)

    def backward(dy):
        dX = dy if left else dy.mH
        dinput, dtau, dC = reflect_backward(dX)
        dother = dC if left else dC.mH
        return dinput, dtau, dother

    return (X if left else X.mH), backward
