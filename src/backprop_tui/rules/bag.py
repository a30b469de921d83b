"""Bags of embeddings: the sum, mean or largest of some rows of a table."""

import torch
import torch.nn.functional as F

from .index import held_to
from .registry import rule, sample


def bag_samples(make):
    yield sample(make.integers(5, 2, 3), make(5, 4))
    yield sample(make.integers(5, 6), make(5, 4), torch.tensor([0, 2, 2]), mode="sum")
    yield sample(
        make.integers(5, 6),
        make(5, 4),
        torch.tensor([0, 2, 2, 6]),
        mode="max",
        include_last_offset=True,
    )
    yield sample(make.integers(5, 2, 3), make(5, 4), mode="sum", per_sample_weights=make(2, 3))
    yield sample(make.integers(5, 2, 3), make(5, 4), padding_idx=1)


@rule(F.embedding_bag, samples=bag_samples)
def embedding_bag(
    input,
    weight,
    offsets=None,
    max_norm=None,
    norm_type=2,
    scale_grad_by_freq=False,
    mode="mean",
    sparse=False,
    per_sample_weights=None,
    include_last_offset=False,
    padding_idx=None,
):
    """y[b] sums w·W[row] over the rows of bag b, or averages them, or takes the largest.

    Each row receives the cotangent of the bags that hold it: as often as they do, divided by
    their size for the mean, and element by element from where it was the largest for the max.
    The rows of `padding_idx` count for nothing. An empty bag is 0.
    """
    if offsets is None:
        offsets = torch.arange(len(input), device=input.device) * input.shape[1]
    bags = len(offsets) - 1 if include_last_offset else len(offsets)
    index = input.flatten()
    place = torch.arange(len(index), device=index.device)
    bag = torch.searchsorted(offsets[:bags], place, right=True) - 1
    kept = torch.ones_like(index, dtype=torch.bool)
    if padding_idx is not None:
        kept = index != padding_idx % len(weight)
    index, bag = index[kept], bag[kept]
    rows = held_to(max_norm, norm_type, weight[index])
    share = torch.ones_like(rows[:, :1])
    if per_sample_weights is not None:
        share = per_sample_weights.flatten()[kept].unsqueeze(1)
    if mode == "mean":
        size = torch.bincount(bag, minlength=bags).to(rows.dtype)
        share = 1 / size[bag].unsqueeze(1)
    zeros = rows.new_zeros(bags, weight.shape[1])
    if mode == "max":
        column = bag.unsqueeze(1).expand(rows.shape)
        y = zeros.scatter_reduce(0, column, rows, "amax", include_self=False)
        share = first_of_equals(rows == y[bag], column, bags)
    else:
        y = zeros.index_add(0, bag, rows * share)

    def backward(dy):
        drows = dy[bag] * share
        if scale_grad_by_freq:
            drows = drows / torch.bincount(index)[index].unsqueeze(1)
        dweight = torch.zeros_like(weight).index_add_(0, index, drows)
        dper_sample = None
        if per_sample_weights is not None:
            dshare = (dy[bag] * rows).sum(1)
            dper_sample = dshare.new_zeros(kept.shape).masked_scatter(kept, dshare)
            dper_sample = dper_sample.reshape(per_sample_weights.shape)
        return None, dweight, None, None, None, None, None, None, dper_sample

    return y, backward


def first_of_equals(hit, column, bags):
    """1 at the first hit of each bag and column, else 0: among equals the first is the largest."""
    place = torch.arange(len(hit), device=hit.device).unsqueeze(1).expand(hit.shape)
    place = torch.where(hit, place, len(hit))
    first = place.new_full((bags, hit.shape[1]), len(hit))
    first = first.scatter_reduce(0, column, place, "amin")
    return hit & (place == first.gather(0, column))
