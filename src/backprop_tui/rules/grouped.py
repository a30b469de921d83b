"""Products of groups of rows, as a mixture of experts makes them."""

from itertools import pairwise

import torch
import torch.nn.functional as F

from .registry import rule, sample

WHOLE = slice(None)


def places(a_dim, b_dim, offsets, batch):
    """Where group after group lies in a, in b and in the product.

    A stack has a matrix for each group. In a single matrix the offsets say where each group
    ends: along the rows of a, along the columns of b, or along what both are summed over.
    """
    if a_dim == b_dim == 3:
        return [(g, g, g) for g in range(batch)]
    spans = [slice(*ends) for ends in pairwise([0, *offsets.tolist()])]
    if a_dim == 2 and b_dim == 3:
        return [(span, g, span) for g, span in enumerate(spans)]
    if a_dim == 3:
        return [(g, (WHOLE, span), (WHOLE, span)) for g, span in enumerate(spans)]
    return [((WHOLE, span), span, g) for g, span in enumerate(spans)]


def grouped_samples(make):
    ends = torch.tensor([4, 8], dtype=torch.int32)
    yield sample(make(8, 4), make(2, 4, 8), offs=ends)
    yield sample(make(2, 4, 4), make(4, 8), offs=ends)
    yield sample(make(4, 8), make(8, 4), offs=ends)
    yield sample(make(2, 4, 4), make(2, 4, 8))


def grouped_mm(input, mat2, offs=None, bias=None, out_dtype=None):
    """A matrix product for each group: yᵍ = aᵍ·bᵍ, daᵍ = dyᵍ·bᵍᵀ, dbᵍ = aᵍᵀ·dyᵍ."""
    groups = places(input.dim(), mat2.dim(), offs, len(input))
    batch = [] if input.dim() != mat2.dim() else [len(groups)]
    y = input.new_zeros(*batch, input.shape[-2], mat2.shape[-1])
    for a, b, out in groups:
        y[out] = input[a] @ mat2[b]
    if out_dtype is not None:
        y = y.to(out_dtype)

    def backward(dy):
        dinput = torch.zeros_like(input)
        dmat2 = torch.zeros_like(mat2)
        for a, b, out in groups:
            dinput[a] = dy[out].to(input.dtype) @ mat2[b].mT
            dmat2[b] = input[a].mT @ dy[out].to(input.dtype)
        return dinput, dmat2

    return y, backward


if hasattr(F, "grouped_mm"):  # newer than the oldest torch that we run on
    rule(F.grouped_mm, torch._grouped_mm, samples=grouped_samples)(grouped_mm)
