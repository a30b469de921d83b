"""Statistics of samples: covariance, correlation and quantiles."""

import torch
from torch import Tensor

from .broadcast import as_dtype
from .registry import rule, sample, spellings


def cov_samples(make):
    yield sample(make(3, 5))
    yield sample(make(5))
    yield sample(make(2, 4), correction=0, fweights=torch.tensor([1, 2, 1, 3]))
    yield sample(make(2, 4), aweights=make.positive(4))


@rule(*spellings("cov"), samples=cov_samples)
def cov(input, *, correction=1, fweights=None, aweights=None):
    """C = Σ w·(x − μ)·(x − μ)ᴴ/ν over the columns x, one for each observation.

    With weights w = f·a, W = Σ w and the degrees of freedom ν = W − correction·Σ w·a/W:
    ∂L/∂(x − μ) = (dC + dCᴴ)·(x − μ)*·w/ν. The mean adds nothing, since Σ w·(x − μ) is 0.
    """
    x = input.reshape(1, -1) if input.dim() < 2 else input
    ones = torch.ones(x.shape[1], dtype=torch.int64, device=x.device)
    f = ones if fweights is None else fweights
    a = ones if aweights is None else aweights
    w = f * a
    W = w.sum()
    freedom = (W - correction * (w * a).sum() / W).clamp(min=0)
    centered = x - (x * w).sum(1, keepdim=True) / W
    C = (centered * w) @ centered.mH / freedom
    y = C.squeeze()

    def backward(dy):
        dC = dy.reshape(C.shape)
        dx = (dC + dC.mH) @ centered.conj() * w / freedom
        dinput = as_dtype(dx.reshape(input.shape), input.dtype)
        daweights = None
        if aweights is not None:
            asked = (dC @ centered.conj() * centered).real.sum(0)
            dfreedom = -(dC * C).real.sum() / freedom
            slope = f - correction * f * (2 * a - (w * a).sum() / W) / W
            daweights = as_dtype(f * asked / freedom + dfreedom * slope, aweights.dtype)
        return dinput, None, None, daweights

    return y, backward


def corrcoef_samples(make):
    yield sample(make(3, 5))


@rule(*spellings("corrcoef"), samples=corrcoef_samples)
def corrcoef(input):
    """Rᵢⱼ = Cᵢⱼ/(sᵢ·sⱼ), the covariance of variables brought to the deviation s = 1."""
    C, cov_backward = cov(input)
    if C.dim() == 0:
        return alone(input, C)
    s = C.diagonal().real.sqrt()
    R = C / s.unsqueeze(1) / s
    if C.is_complex():
        y = torch.complex(R.real.clamp(-1, 1), R.imag.clamp(-1, 1))
    else:
        y = R.clamp(-1, 1)

    def backward(dy):
        dC = dy / s.unsqueeze(1) / s
        asked = (dy * R).real
        ds = -(asked.sum(0) + asked.sum(1)) / s
        dC = dC + torch.diag(ds / (2 * s))
        dinput, *_ = cov_backward(dC)
        return dinput

    return y, backward


def alone(input, C):
    """The correlation of one variable with itself, which is 1 and flat."""
    y = C / C

    def backward(dy):
        dinput = torch.zeros_like(input)
        return dinput

    return y, backward


def quantile_samples(make):
    yield sample(make(2, 5), 0.3)
    yield sample(make(2, 5), make.constant(2) / 2, 1, True)
    for interpolation in ("lower", "higher", "nearest", "midpoint"):
        yield sample(make(2, 5), 0.4, 0, interpolation=interpolation)


ROUNDING = {"lower": torch.floor, "higher": torch.ceil, "nearest": torch.round}


def at_ranks(ordered, rank, interpolation):
    """The values at ranks that may lie between two elements, and their backward."""
    rank = ROUNDING.get(interpolation, torch.clone)(rank)
    below, above = rank.floor().to(torch.int64), rank.ceil().to(torch.int64)
    weight = torch.full_like(rank, 0.5) if interpolation == "midpoint" else rank - below
    low, high = ordered.gather(-1, below), ordered.gather(-1, above)
    values = torch.lerp(low, high, weight)

    def backward(dvalues):
        dordered = torch.zeros_like(ordered)
        dordered = dordered.scatter_add(-1, below, dvalues * (1 - weight))
        dordered = dordered.scatter_add(-1, above, dvalues * weight)
        drank = dvalues * (high - low) if interpolation == "linear" else torch.zeros_like(rank)
        return dordered, drank

    return values, backward


def order_statistic(input, q, dim, keepdim, interpolation, last_rank):
    """Each row in order, read at the ranks q·last; `last_rank` says how far a row counts."""
    rows = input.reshape(-1) if dim is None or input.dim() == 0 else input.movedim(dim, -1)
    ordered, order = rows.sort(-1)
    levels = torch.as_tensor(q, dtype=input.dtype, device=input.device)
    last, missing = last_rank(ordered)
    ranks = torch.where(missing, last, levels.reshape(-1) * last)
    values, ranks_backward = at_ranks(ordered, ranks, interpolation)
    y = values.movedim(-1, 0).reshape(levels.shape + rows.shape[:-1])
    if keepdim and dim is None:
        y = y.reshape(levels.shape + (1,) * input.dim())
    elif keepdim and input.dim():
        y = y.unsqueeze(levels.dim() + dim % input.dim())

    def backward(dy):
        dvalues = dy.reshape(values.movedim(-1, 0).shape).movedim(0, -1)
        dordered, dranks = ranks_backward(dvalues)
        drows = torch.zeros_like(rows).scatter(-1, order, dordered)
        dinput = drows.movedim(-1, dim) if dim is not None and input.dim() else drows
        dq = torch.where(missing, 0, dranks * last)
        dq = dq.reshape(-1, levels.numel()).sum(0).reshape(levels.shape)
        return dinput.reshape(input.shape), dq if isinstance(q, Tensor) else None

    return y, backward


@rule(*spellings("quantile"), samples=quantile_samples)
def quantile(input, q, dim=None, keepdim=False, *, interpolation="linear"):
    """The value below which a share q of a row lies: between the elements next to rank q·(n − 1).

    Each of the two receives its share of dy. A row with a NaN has NaN for all quantiles.
    """

    def last_rank(ordered):
        last = ordered.new_tensor(ordered.shape[-1] - 1)
        return last, ordered.isnan().any(-1, keepdim=True)

    y, statistic_backward = order_statistic(input, q, dim, keepdim, interpolation, last_rank)

    def backward(dy):
        dinput, dq = statistic_backward(dy)
        return dinput, dq

    return y, backward


@rule(*spellings("nanquantile"), samples=quantile_samples)
def nanquantile(input, q, dim=None, keepdim=False, *, interpolation="linear"):
    """The quantiles of what is not NaN; the NaN of a row come last in its order."""

    def last_rank(ordered):
        counted = (~ordered.isnan()).sum(-1, keepdim=True)
        return (counted - 1).clamp(min=0).to(ordered.dtype), torch.zeros_like(counted).bool()

    y, statistic_backward = order_statistic(input, q, dim, keepdim, interpolation, last_rank)

    def backward(dy):
        dinput, dq = statistic_backward(dy)
        return dinput, dq

    return y, backward
