"""Many elements reduced into one place each, where an index says which place.

Each element of src goes to a place of x and is summed, averaged, multiplied or compared
there with the others that arrive, and with the element that x had (`include_self`).
"""

import torch

from .registry import rule, sample, spellings

# The slope of each result in x, and in the elements of src that it was made from. They are
# called with x, src, the result, and `gather` and `add`: from places to elements, and back.


def sum_slopes(x, src, y, gather, add):
    """Of a sum: 1."""
    return torch.ones_like(x), torch.ones_like(src)


def mean_slopes(x, src, y, gather, add):
    """Of a mean of n: 1/n."""
    slope = 1 / add(torch.ones_like(x), torch.ones_like(src)).clamp(min=1)
    return slope, gather(slope)


def extreme_slopes(x, src, y, gather, add):
    """Of the largest or the smallest: those that equal it share 1 evenly; none equals NaN, 0/0."""
    hit = (x == y).to(x.dtype)
    src_hit = (src == gather(y)).to(x.dtype)
    share = 1 / add(hit, src_hit)
    return hit * share, src_hit * gather(share)


def product_slopes(x, src, y, gather, add):
    """Of a product: the product of the others, of which none may be 0."""
    zeros = add((x == 0).to(x.dtype), (src == 0).to(x.dtype))
    return others(x, y, zeros), others(src, gather(y), gather(zeros))


def others(factor, product, zeros):
    """The product of the factors but one; `product` is that of all that are not 0."""
    without = torch.where(factor == 0, product, product / factor)
    left = zeros - (factor == 0).to(zeros.dtype)
    return torch.where(left == 0, without, 0)


SLOPES = {
    "sum": sum_slopes,
    "mean": mean_slopes,
    "amax": extreme_slopes,
    "amin": extreme_slopes,
    "prod": product_slopes,
}


def scatter_reduce_samples(make):
    index = torch.tensor([[0, 2, 0], [3, 1, 1]])
    for reduce in SLOPES:
        yield sample(make(2, 4), 1, index, make(2, 3), reduce)
        yield sample(make(2, 4), 1, index, make(2, 3), reduce, include_self=False)


@rule(*spellings("scatter_reduce"), samples=scatter_reduce_samples)
def scatter_reduce(input, dim, index, src, reduce, *, include_self=True):
    """y[i][k] reduces x[i][k] and all src[i][j] with index[i][j] = k.

    Each receives dy times the slope of the reduction: 1, 1/n, whether it is the extreme, or
    the product of the others. Without `include_self` the x at an indexed place counts no more.
    """
    y = input.scatter_reduce(dim, index, src, reduce, include_self=include_self)
    window = tuple(slice(n) for n in index.shape)
    replaced = torch.zeros_like(input, dtype=torch.bool)
    if not include_self:
        replaced = replaced.scatter(dim, index, True)

    def gather(places):
        return places.gather(dim, index)

    def add(places, elements):
        return torch.where(replaced, 0, places).scatter_add(dim, index, elements)

    def backward(dy):
        arrived, result = torch.atleast_1d(src)[window], y
        if reduce == "prod":
            nonzero = torch.where(replaced | (input == 0), 1, input)
            factors = torch.where(src == 0, 1, src)
            result = nonzero.scatter_reduce(dim, index, factors, "prod")
        slope, src_slope = SLOPES[reduce](input, arrived, result, gather, add)
        dinput = torch.where(replaced, 0, dy * slope)
        dsrc = torch.zeros_like(src)
        torch.atleast_1d(dsrc)[window] = gather(dy) * src_slope
        return dinput, None, None, dsrc

    return y, backward


def index_reduce_samples(make):
    for reduce in ("mean", "amax", "amin", "prod"):
        yield sample(make(2, 4), 1, torch.tensor([0, 2, 0]), make(2, 3), reduce)
        yield sample(make(4, 2), 0, torch.tensor([1, 1]), make(2, 2), reduce, include_self=False)


@rule(*spellings("index_reduce"), samples=index_reduce_samples)
def index_reduce(input, dim, index, source, reduce, *, include_self=True):
    """As scatter_reduce, of whole slices: all elements of a slice have one index."""
    x = input.reshape(1) if input.dim() == 0 else input
    src = source.reshape(1) if source.dim() == 0 else source
    spread = [index.numel() if d == dim % src.dim() else 1 for d in range(src.dim())]
    places = index.reshape(spread).expand_as(src)
    reduced, scatter_backward = scatter_reduce(
        x, dim, places, src, reduce, include_self=include_self
    )
    y = reduced.reshape(input.shape)

    def backward(dy):
        dx, _, _, dsrc = scatter_backward(dy.reshape(x.shape))
        dinput = dx.reshape(input.shape)
        dsource = dsrc.reshape(source.shape)
        return dinput, None, None, dsource

    return y, backward


def put_samples(make):
    yield sample(make(2, 3), torch.tensor([[0, 5]]), make(1, 2))
    yield sample(make(2, 3), torch.tensor([1, 1]), make(2), True)


@rule(*spellings("put"), samples=put_samples)
def put(input, index, source, accumulate=False):
    """Elements written, or added, by their number in the flattened input."""
    y = input.put(index, source, accumulate)

    def backward(dy):
        dsource = dy.take(index).reshape(source.shape)
        dinput = dy if accumulate else dy.put(index, torch.zeros_like(source))
        return dinput, None, dsource

    return y, backward
