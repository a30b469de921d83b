"""Lengths of vectors and what is built on them: p-norms, normalize, distances."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .broadcast import as_dtype, unbroadcast
from .reduce import dimensions, unreduce
from .registry import rule, sample, spellings


def norm_slope(x, length, p, dims):
    """∂‖x‖ₚ/∂xᵢ = sign(xᵢ)·(|xᵢ|/‖x‖)ᵖ⁻¹; 0 where the norm is 0."""
    sign = x.sgn().conj()
    if p == 0:
        return torch.zeros_like(x)
    if p == 1:
        return sign
    if math.isinf(p):
        hit = (x.abs() == length).to(sign.dtype)
        return sign * hit / hit.sum(dims, keepdim=True) if dims else sign * hit
    ratio = x.abs() / length
    slope = sign * ratio ** (p - 1)
    if p == 2:
        slope = x.conj() / length
    flat = (length == 0) | (x == 0) if p < 2 else length == 0
    return torch.where(flat, 0, slope)


def vector_norm_samples(make):
    yield sample(make(2, 3))
    yield sample(make(2, 3), 3, dim=1)
    yield sample(make(2, 3), 1, 0, keepdim=True)
    yield sample(make(2, 3), math.inf, (0, 1))


@rule(torch.linalg.vector_norm, samples=vector_norm_samples)
def vector_norm(x, ord=2, dim=None, keepdim=False, *, dtype=None):
    """The p-norm (Σ|xᵢ|ᵖ)^(1/p): its derivative is sign(xᵢ)·(|xᵢ|/‖x‖)ᵖ⁻¹.

    At 0 the derivative is taken as 0; the largest elements share that of the ∞-norm.
    """
    wide = x if dtype is None else x.to(dtype)
    y = torch.linalg.vector_norm(wide, ord, dim, keepdim)

    def backward(dy):
        length = unreduce(y, x, dim, keepdim)
        slope = norm_slope(wide, length, ord, dimensions(x, dim) if x.dim() else ())
        dx = unreduce(dy, x, dim, keepdim) * slope
        dx = as_dtype(dx, x.dtype)
        return dx

    return y, backward


def norm_samples(make):
    yield sample(make(2, 3))
    yield sample(make(2, 3), p=1, dim=1)
    yield sample(make(2, 3), p=math.inf, dim=0, keepdim=True)
    yield sample(make(2, 3), p="nuc")


def nuclear_norm(x, dim, keepdim):
    """The sum of a matrix's singular values: with x = U·Σ·Vᴴ its derivative is U·Vᴴ."""
    rows, columns = (0, 1) if dim is None else dim
    matrix = x.movedim((rows, columns), (-2, -1))
    u, s, vh = torch.linalg.svd(matrix, full_matrices=False)
    y = s.sum(-1)
    if keepdim:
        y = unreduce(y, x, (rows, columns), False)

    def backward(dy):
        slope = (u @ vh).conj().movedim((-2, -1), (rows, columns))
        dx = unreduce(dy, x, (rows, columns), keepdim) * slope
        return dx

    return y, backward


@rule(torch.norm, Tensor.norm, samples=norm_samples)
def norm(input, p="fro", dim=None, keepdim=False, out=None, dtype=None):
    """The p-norm of all elements, or over some dimensions; of a matrix, the nuclear norm."""
    if p == "nuc":
        y, vector_backward = nuclear_norm(input, dim, keepdim)
    else:
        order = 2 if p in ("fro", None) else p
        y, vector_backward = vector_norm(input, order, dim, keepdim, dtype=dtype)

    def backward(dy):
        dinput = vector_backward(dy)
        return dinput

    return y, backward


def normalize_samples(make):
    yield sample(make(2, 3))
    yield sample(make(2, 3, 4), p=3.0, dim=-1)


@rule(F.normalize, samples=normalize_samples)
def normalize(input, p=2.0, dim=1, eps=1e-12, out=None):
    """Each row divided by its p-norm, y = x/max(‖x‖, ε).

    Its length does not matter, so the part of dy along y does not come back:
    ∂L/∂x = (dy − ∂‖x‖/∂x · Σ dy·y)/‖x‖.
    """
    length, norm_backward = vector_norm(input, p, dim, True)
    safe = length.clamp(min=eps)
    y = input / safe

    def backward(dy):
        dlength = -as_dtype((dy * y).sum(dim, keepdim=True), length.dtype) / safe
        dlength = torch.where(length >= eps, dlength, 0)
        dinput = dy / safe + norm_backward(dlength)
        return dinput

    return y, backward


@rule(*spellings("dist"), samples=lambda make: [sample(make(2, 3), make(3), 3)])
def dist(input, other, p=2):
    """The p-norm of a − b."""
    difference = input - other
    y, norm_backward = vector_norm(difference, p)

    def backward(dy):
        ddifference = norm_backward(dy)
        dinput = unbroadcast(ddifference, input)
        dother = unbroadcast(-ddifference, other)
        return dinput, dother

    return y, backward


@rule(F.pairwise_distance, samples=lambda make: [sample(make(2, 3), make(2, 3))])
def pairwise_distance(x1, x2, p=2.0, eps=1e-6, keepdim=False):
    """The p-norm of each row of a − b + ε."""
    difference = x1 - x2 + eps
    y, norm_backward = vector_norm(difference, p, -1, keepdim)

    def backward(dy):
        ddifference = norm_backward(dy)
        dx1 = unbroadcast(ddifference, x1)
        dx2 = unbroadcast(-ddifference, x2)
        return dx1, dx2

    return y, backward


@rule(F.cosine_similarity, samples=lambda make: [sample(make(2, 3), make(2, 3))])
def cosine_similarity(x1, x2, dim=1, eps=1e-8):
    """The cosine of the angle between a and b: y = â·b̂ of the two normalized.

    With lengths as they are, ∂y/∂a = (b̂ − y·â)/‖a‖. Below ε a length counts as ε, but receives a
    cotangent as if it were not held there, as in PyTorch.
    """
    dtype = torch.result_type(x1, x2)
    a, b = torch.broadcast_tensors(x1.to(dtype), x2.to(dtype))
    length1 = torch.linalg.vector_norm(a, dim=dim, keepdim=True)
    length2 = torch.linalg.vector_norm(b, dim=dim, keepdim=True)
    safe1 = length1.clamp(min=eps)
    safe2 = length2.clamp(min=eps)
    unit1 = a / safe1
    unit2 = b / safe2
    y = (unit1 * unit2).sum(dim)

    def backward(dy):
        dy = dy.unsqueeze(dim)
        cosine = (unit1 * unit2).sum(dim, keepdim=True)
        radial1 = cosine * torch.where(length1 > 0, a / length1, 0)
        radial2 = cosine * torch.where(length2 > 0, b / length2, 0)
        dx1 = unbroadcast(dy * (unit2 - radial1) / safe1, x1)
        dx2 = unbroadcast(dy * (unit1 - radial2) / safe2, x2)
        return dx1, dx2

    return y, backward


def cdist_samples(make):
    yield sample(make(3, 2), make(4, 2))
    yield sample(make(2, 3, 2), make(4, 2), p=1.0)


@rule(torch.cdist, samples=cdist_samples)
def cdist(x1, x2, p=2.0, compute_mode="use_mm_for_euclid_dist_if_necessary"):
    """The p-norm of the difference of every row of a from every row of b."""
    difference = x1.unsqueeze(-2) - x2.unsqueeze(-3)
    y, norm_backward = vector_norm(difference, p, -1)

    def backward(dy):
        ddifference = norm_backward(dy)
        dx1 = unbroadcast(ddifference.sum(-2), x1)
        dx2 = unbroadcast(-ddifference.sum(-3), x2)
        return dx1, dx2

    return y, backward


@rule(F.pdist, samples=lambda make: [sample(make(4, 3))])
def pdist(input, p=2.0):
    """The p-norm of the difference of every two rows."""
    first, second = torch.triu_indices(len(input), len(input), 1, device=input.device)
    difference = input[first] - input[second]
    y, norm_backward = vector_norm(difference, p, -1)

    def backward(dy):
        ddifference = norm_backward(dy)
        dinput = torch.zeros_like(input).index_add(0, first, ddifference)
        dinput = dinput.index_add(0, second, -ddifference)
        return dinput

    return y, backward


def renorm_samples(make):
    yield sample(make(3, 4), 2, 0, 1.0)


@rule(*spellings("renorm"), samples=renorm_samples)
def renorm(input, p, dim, maxnorm):
    """Each slice whose p-norm is above the limit scaled down to it."""
    others = [d for d in range(input.dim()) if d != dim % input.dim()]
    length, norm_backward = vector_norm(input, p, others, True)
    over = length > maxnorm
    factor = torch.where(over, maxnorm / (length + 1e-7), 1)
    y = input * factor

    def backward(dy):
        dfactor = as_dtype((dy * input).sum(others, keepdim=True), length.dtype)
        dlength = torch.where(over, -dfactor * maxnorm / (length + 1e-7) ** 2, 0)
        dinput = dy * factor + norm_backward(dlength)
        return dinput

    return y, backward
