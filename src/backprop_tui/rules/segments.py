"""Runs of elements along one dimension, each reduced to one."""

import torch
import torch.nn.functional as F

from .reduce_into import SLOPES
from .registry import rule, sample


def segment_of(size, lengths, offsets):
    """The number of the segment that each of `size` places lies in; −1 before the first."""
    bounds = F.pad(lengths.cumsum(-1), (1, 0)) if offsets is None else offsets
    places = torch.arange(size, device=bounds.device).unsqueeze(-1)
    return (places >= bounds.unsqueeze(-2)).sum(-1) - 1


def segment_samples(make):
    for reduce in ("sum", "mean", "max", "min", "prod"):
        yield sample(make(5, 2), reduce, lengths=torch.tensor([3, 2]))
        yield sample(make(2, 4), reduce, offsets=torch.tensor([[0, 1, 4], [0, 2, 4]]), axis=1)
    yield sample(make(5), "prod", lengths=torch.tensor([3, 0, 2]), initial=2)


@rule(torch.segment_reduce, samples=segment_samples)
def segment_reduce(
    data,
    reduce,
    *,
    lengths=None,
    indices=None,
    offsets=None,
    axis=0,
    unsafe=False,
    initial=None,
):
    """Each segment summed, averaged, multiplied, or its largest or smallest: dy times the slope.

    That is 1, 1/n, the product of the others, or whether it is the extreme, shared evenly where
    several are. `initial` takes part in the result, and receives nothing.
    """
    y = torch.segment_reduce(
        data, reduce, lengths=lengths, offsets=offsets, axis=axis, unsafe=unsafe, initial=initial
    )
    segment = segment_of(data.shape[axis], lengths, offsets)
    place = segment.reshape(segment.shape + (1,) * (data.dim() - axis - 1)).expand(data.shape)
    inside = (place >= 0) & (place < y.shape[axis])  # not all elements need lie in a segment
    index = torch.where(inside, place, 0)
    nothing = torch.zeros_like(y)

    def gather(segments):
        return segments.gather(axis, index)

    def add(_, elements):
        return nothing.scatter_add(axis, index, torch.where(inside, elements, 0))

    def backward(dy):
        if reduce in ("max", "min"):
            hit = ((data == gather(y)) | data.isnan()).to(data.dtype)
            slope = hit / gather(add(nothing, hit)).clamp(min=1)
        else:
            start = torch.full_like(y, 1 if initial is None else initial)
            nonzero = torch.where(inside & (data != 0), data, 1)
            product = start.scatter_reduce(axis, index, nonzero, "prod")
            _, slope = SLOPES[reduce](nothing, data, product, gather, add)
        ddata = torch.where(inside, gather(dy) * slope, 0)
        return ddata

    return y, backward
