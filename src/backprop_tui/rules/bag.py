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
    """y[b] = Σ w·W[row] over the rows of bag b: their sum, their mean, or the largest of them.

    Each row receives w·dy from the bags that hold it: w is 1 or its sample's weight, 1/n in a
    mean of n rows, and of the largest 1 where it was that. An empty bag is 0.
    """
    index, bag, bags, kept = members(input, offsets, include_last_offset, padding_idx, len(weight))
    rows = held_to(max_norm, norm_type, weight[index])
    if mode == "max":
        y, w = largest(rows, bag, bags)
    else:
        w = shares(rows, bag, mode, per_sample_weights, kept)
        y = rows.new_zeros(bags, weight.shape[1]).index_add(0, bag, rows * w)

    def backward(dy):
        drows = dy[bag] * w
        if scale_grad_by_freq:
            drows = drows / torch.bincount(index)[index].unsqueeze(1)
        dweight = torch.zeros_like(weight).index_add_(0, index, drows)
        dper_sample = None
        if per_sample_weights is not None:
            dw = (dy[bag] * rows).sum(1)
            dper_sample = dw.new_zeros(kept.shape).masked_scatter(kept, dw)
            dper_sample = dper_sample.reshape(per_sample_weights.shape)
        return None, dweight, None, None, None, None, None, None, dper_sample

    return y, backward


def members(input, offsets, include_last_offset, padding_idx, count):
    """The row and the bag of every entry, how many bags there are, and which entries count.

    Those that read the padding row, one of `count` rows, do not.
    """
    if offsets is None:
        offsets = torch.arange(len(input), device=input.device) * input.shape[1]
    bags = len(offsets) - 1 if include_last_offset else len(offsets)
    index = input.flatten()
    place = torch.arange(len(index), device=index.device)
    bag = torch.searchsorted(offsets[:bags], place, right=True) - 1
    kept = torch.ones_like(index, dtype=torch.bool)
    if padding_idx is not None:
        kept = index != padding_idx % count
    return index[kept], bag[kept], bags, kept


def shares(rows, bag, mode, per_sample_weights, kept):
    """What each row counts for in the sum of its bag, as a column."""
    if mode == "mean":
        size = torch.bincount(bag).to(rows.dtype)
        return 1 / size[bag].unsqueeze(1)
    if per_sample_weights is not None:
        return per_sample_weights.flatten()[kept].unsqueeze(1)
    return torch.ones_like(rows[:, :1])


def largest(rows, bag, bags):
    """The largest element of each bag and column, and where it was: of equal ones, the first."""
    column = bag.unsqueeze(1).expand(rows.shape)
    y = rows.new_zeros(bags, rows.shape[1])
    y = y.scatter_reduce(0, column, rows, "amax", include_self=False)
    hit = rows == y[bag]
    place = torch.arange(len(hit), device=hit.device).unsqueeze(1).expand(hit.shape)
    place = torch.where(hit, place, len(hit))
    first = place.new_full(y.shape, len(hit)).scatter_reduce(0, column, place, "amin")
    return y, hit & (place == first.gather(0, column))
