"""Matrix products, from the dot product to the linear layer.

All rest on one lemma: from Y = A·B comes tr(dYᵀ·(δA·B + A·δB)), so dA = dY·Bᵀ and
dB = Aᵀ·dY (Petersen and Pedersen, 2012, The Matrix Cookbook, 2.5).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .broadcast import unbroadcast
from .registry import rule, sample, spellings


def linear_samples(make):
    yield sample(make(2, 3), make(4, 3), make(4))
    yield sample(make(2, 5, 3), make(4, 3))
    yield sample(make(3), make(4, 3), make(4))
    yield sample(make(2, 3), make(3))


@rule(F.linear, samples=linear_samples)
def linear(input, weight, bias=None):
    """The linear layer, y = x·Wᵀ + b, over the last dimension of x.

    With dy = ∂L/∂y, one row for each row of x: ∂L/∂b is the sum of the rows of dy,
    ∂L/∂W = dyᵀ·x and ∂L/∂x = dy·W. All dimensions but the last count rows.
    """
    if weight.dim() == 1 or (bias is not None and bias.shape != weight.shape[:1]):
        return broadcast_linear(input, weight, bias)
    shape = input.shape
    y = input @ weight.t()
    if bias is not None:
        y = y + bias
    if len(shape) != 2:
        input = rows(input)

    def backward(dy):
        dbias = None
        if len(shape) != 2:
            dy = rows(dy)
        if bias is not None:
            dbias = dy.sum(0)
        dweight = dy.t() @ input
        dinput = dy @ weight
        if len(shape) != 2:
            dinput = dinput.reshape(shape)
        return dinput, dweight, dbias

    return y, backward


def broadcast_linear(input, weight, bias):
    """The linear layer whose weight is one vector, or whose bias one number for all."""
    y, matmul_backward = matmul(input, weight.t())
    if bias is not None:
        y = y + bias

    def backward(dy):
        dinput, dcolumns = matmul_backward(dy)
        dweight = dcolumns.t()
        dbias = unbroadcast(dy, bias)
        return dinput, dweight, dbias

    return y, backward


def matmul_samples(make):
    yield sample(make(2, 3), make(3, 4))
    yield sample(make(5, 2, 3), make(3, 4))
    yield sample(make(3), make(5, 3, 4))
    yield sample(make(2, 3), make(3))
    yield sample(make(3), make(3))


@rule(*spellings("matmul"), torch.linalg.matmul, Tensor.__matmul__, samples=matmul_samples)
def matmul(input, other):
    """The matrix product y = a·b, batched and broadcast over the leading dimensions.

    ∂L/∂a = dy·bᵀ and ∂L/∂b = aᵀ·dy, summed over the batch dimensions that were broadcast.
    A vector on the left is a matrix of one row, on the right one of one column.
    """
    y = input @ other
    a = input.unsqueeze(0) if input.dim() == 1 else input
    b = other.unsqueeze(1) if other.dim() == 1 else other

    def backward(dy):
        if other.dim() == 1:
            dy = dy.unsqueeze(-1)
        if input.dim() == 1:
            dy = dy.unsqueeze(-2)
        da = dy @ b.mT
        db = a.mT @ dy
        dinput = da.sum_to_size(a.shape).reshape(input.shape)
        dother = db.sum_to_size(b.shape).reshape(other.shape)
        return dinput, dother

    return y, backward


@rule(Tensor.__rmatmul__, samples=lambda make: [sample(make(3, 4), make(2, 3))])
def rmatmul(input, other):
    """The reflected product, y = other·input."""
    y, reflected = matmul(other, input)

    def backward(dy):
        dother, dinput = reflected(dy)
        return dinput, dother

    return y, backward


@rule(*spellings("mm"), samples=lambda make: [sample(make(2, 3), make(3, 4))])
def mm(input, mat2):
    """The product of two matrices, y = a·b: ∂L/∂a = dy·bᵀ, ∂L/∂b = aᵀ·dy."""
    y = input @ mat2

    def backward(dy):
        dinput = dy @ mat2.t()
        dmat2 = input.t() @ dy
        return dinput, dmat2

    return y, backward


@rule(*spellings("bmm"), samples=lambda make: [sample(make(5, 2, 3), make(5, 3, 4))])
def bmm(input, mat2):
    """A batch of matrix products, yₖ = aₖ·bₖ: ∂L/∂aₖ = dyₖ·bₖᵀ, ∂L/∂bₖ = aₖᵀ·dyₖ."""
    y = input @ mat2

    def backward(dy):
        dinput = dy @ mat2.mT
        dmat2 = input.mT @ dy
        return dinput, dmat2

    return y, backward


@rule(*spellings("mv"), samples=lambda make: [sample(make(2, 3), make(3))])
def mv(input, vec):
    """A matrix times a vector, y = A·v: ∂L/∂A = dy⊗v, ∂L/∂v = Aᵀ·dy."""
    y = input @ vec

    def backward(dy):
        dinput = dy.unsqueeze(1) * vec
        dvec = input.t() @ dy
        return dinput, dvec

    return y, backward


@rule(*spellings("dot"), samples=lambda make: [sample(make(3), make(3))])
def dot(input, tensor):
    """The inner product of two vectors, y = Σ aᵢbᵢ: ∂L/∂a = dy·b, ∂L/∂b = dy·a."""
    y = (input * tensor).sum()

    def backward(dy):
        dinput = dy * tensor
        dtensor = dy * input
        return dinput, dtensor

    return y, backward


@rule(*spellings("outer", "ger"), samples=lambda make: [sample(make(2), make(3))])
def outer(input, vec2):
    """The outer product, y[i, j] = a[i]·b[j]: ∂L/∂a = dy·b, ∂L/∂b = dyᵀ·a."""
    y = input.unsqueeze(1) * vec2

    def backward(dy):
        dinput = unbroadcast(dy * vec2, input.unsqueeze(1))
        dvec2 = unbroadcast(dy * input.unsqueeze(1), vec2)
        return None if dinput is None else dinput.squeeze(1), dvec2

    return y, backward


def inner_samples(make):
    yield sample(make(2, 3), make(4, 3))
    yield sample(make(3), make(3))


@rule(*spellings("inner"), samples=inner_samples)
def inner(input, other):
    """Inner products over the last dimensions: y[…i, …j] = Σₖ a[…i, k]·b[…j, k].

    A number multiplies the other tensor. ∂L/∂a[…i, k] = Σⱼ dy[…i, …j]·b[…j, k], and so for b.
    """
    scalar = input.dim() == 0 or other.dim() == 0
    y = input * other if scalar else torch.tensordot(input, other, dims=([-1], [-1]))

    def backward(dy):
        if scalar:
            dinput = unbroadcast(dy * other, input)
            dother = unbroadcast(dy * input, other)
        else:
            dinput = torch.tensordot(dy, other, other.dim() - 1)
            kept = list(range(input.dim() - 1))
            dother = torch.tensordot(dy, input, dims=(kept, kept))
        return dinput, dother

    return y, backward


@rule(F.bilinear, samples=lambda make: [sample(make(5, 2), make(5, 3), make(4, 2, 3), make(4))])
def bilinear(input1, input2, weight, bias=None):
    """y[k] = aᵀ·W[k]·b + bias[k]: linear in each of a, b and W, with the others as its factors.

    ∂L/∂a = Σₖ dy[k]·W[k]·b, ∂L/∂b = Σₖ dy[k]·W[k]ᵀ·a and ∂L/∂W[k] = Σ dy[k]·a⊗b over all rows.
    """
    y = torch.einsum("...i,kij,...j->...k", input1, weight, input2)
    if bias is not None:
        y = y + bias

    def backward(dy):
        dinput1 = torch.einsum("...k,kij,...j->...i", dy, weight, input2)
        dinput2 = torch.einsum("...k,kij,...i->...j", dy, weight, input1)
        dweight = torch.einsum("nk,ni,nj->kij", rows(dy), rows(input1), rows(input2))
        dbias = rows(dy).sum(0) if bias is not None else None
        return dinput1, dinput2, dweight, dbias

    return y, backward


def rows(tensor):
    """A tensor as a matrix: all but the last dimension made one."""
    return tensor.reshape(math.prod(tensor.shape[:-1]), tensor.shape[-1])
