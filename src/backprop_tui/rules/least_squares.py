"""The pseudoinverse, and the least squares that it solves."""

import torch

from .linalg import is_vector
from .registry import rule, sample, spellings
from .samples import complex_normal


def pinv_samples(make):
    yield sample(make(4, 3))
    yield sample(make(2, 2, 4))
    yield sample(complex_normal(make, 3, 2))
    symmetric = make(3, 3)
    yield sample(symmetric + symmetric.mT, hermitian=True)


@rule(torch.linalg.pinv, samples=pinv_samples)
def pinv(A, rcond=None, hermitian=False, *, atol=None, rtol=None):
    """Y = A⁺, the inverse of A between the spaces that it does not send to 0.

    With gX for the conjugate of dX, and the projections AY and YA onto these spaces,
    gA = −Yᴴ·gY·Yᴴ + (I − AY)·gYᴴ·Y·Yᴴ + Yᴴ·Y·gYᴴ·(I − YA): the inverse, and the spaces
    turning (Golub and Pereyra, 1973, doi:10.1137/0710036). The rank must stay as it is.
    """
    if rcond is not None:
        Y = torch.linalg.pinv(A, rcond, hermitian)
    else:
        Y = torch.linalg.pinv(A, atol=atol, rtol=rtol, hermitian=hermitian)

    def backward(dY):
        gY = dY.conj()
        inverse = -Y.mH @ gY @ Y.mH
        outside_range = gY.mH - A @ (Y @ gY.mH)
        outside_rows = gY.mH - (gY.mH @ Y) @ A
        gA = inverse + outside_range @ Y @ Y.mH + Y.mH @ Y @ outside_rows
        dA = gA.conj()
        return dA

    return Y, backward


@rule(*spellings("pinverse"), samples=lambda make: [sample(make(4, 3))])
def pinverse(input, rcond=1e-15):
    """As linalg.pinv, with a smaller bound on what counts as 0."""
    Y, pinv_backward = pinv(input, rcond)

    def backward(dY):
        dinput = pinv_backward(dY)
        return dinput

    return Y, backward


def lstsq_samples(make):
    yield sample(make(4, 2), make(4, 3))
    yield sample(make(2, 2, 4), make(2, 2, 3))
    yield sample(make(4, 2), make(4))


@rule(torch.linalg.lstsq, samples=lstsq_samples)
def lstsq(A, B, rcond=None, *, driver=None):
    """X = A⁺·B makes ‖A·X − B‖² smallest; also that square, the rank and the singular values.

    dX goes to A⁺ and B as in a product. At its minimum the square does not move with X, so
    with r = A·X − B its slopes are 2·r·Xᴴ for A and −2·r for B (both conjugated).
    """
    X, residuals, rank, singular_values = torch.linalg.lstsq(A, B, rcond, driver=driver)
    vector = is_vector(A, B)
    right_side = B.unsqueeze(-1) if vector else B
    solution = X.unsqueeze(-1) if vector else X

    def backward(dX, dresiduals, drank=None, dsingular_values=None):
        if vector:
            dX = dX.unsqueeze(-1)
        Y, pinv_backward = pinv(A)
        dB = Y.mT @ dX
        dA = pinv_backward(dX @ right_side.mT)
        if residuals.numel() > 0:
            r = (A @ solution - right_side).conj() * dresiduals.unsqueeze(-2)
            dA = dA + 2 * r @ solution.mT
            dB = dB - 2 * r
        dA = dA.sum_to_size(A.shape)
        dB = dB.sum_to_size(right_side.shape).reshape(B.shape)
        return dA, dB

    return (X, residuals, rank, singular_values), backward
