"""What a tensor looks like in a few numbers: extremes, moments, counts, a histogram.

Everything runs in float64 over pieces of bounded size, so that a tensor of any dtype and
layout, larger than the memory left, can be summed up, and the work can be stopped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

PIECE = 1 << 20
BINS = 16


@dataclass(frozen=True)
class Statistics:
    """A tensor in numbers; moments and extremes are of the finite elements only.

    `looked_at` is smaller than `count` when only a sample was read. Of a complex tensor
    the magnitudes are measured. Without a finite element the extremes are NaN.
    """

    count: int
    looked_at: int
    minimum: float
    maximum: float
    mean: float
    std: float
    norm: float
    zeros: int
    nan: int
    posinf: int
    neginf: int
    histogram: tuple[int, ...]

    @property
    def sampled(self) -> bool:
        """Whether some elements were not looked at."""
        return self.looked_at < self.count


class Stopped(Exception):
    """Somebody asked for the work to end."""


def statistics(
    tensor: Tensor, bins: int = BINS, stop: Callable[[], bool] = lambda: False
) -> Statistics:
    """All elements of `tensor`, of any shape, dtype and device.

    std is the unbiased one, as torch's.

    Raises:
        Stopped: where `stop`, which is asked between pieces, answers True.
    """
    total = _Sums()
    for piece in pieces(tensor, PIECE):
        if stop():
            raise Stopped
        total.add(_real(piece))
    histogram = torch.zeros(bins, dtype=torch.float64)
    if total.finite:
        for piece in pieces(tensor, PIECE):
            if stop():
                raise Stopped
            histogram += _histogram(_real(piece), bins, total.minimum, total.maximum)
    return total.result(tuple(int(n) for n in histogram.tolist()))


def sampled_statistics(tensor: Tensor, limit: int, bins: int = BINS) -> Statistics:
    """The statistics of at most `limit` elements; norm and counts are scaled up.

    Exact where the tensor has no more than `limit` elements.
    """
    found = statistics(sample(tensor, limit), bins)
    if tensor.numel() <= limit:
        return found
    scale = tensor.numel() / found.count
    counts = (found.zeros, found.nan, found.posinf, found.neginf)
    zeros, nan, posinf, neginf = (round(n * scale) for n in counts)
    return Statistics(
        tensor.numel(),
        found.count,
        found.minimum,
        found.maximum,
        found.mean,
        found.std,
        found.norm * math.sqrt(scale),
        zeros,
        nan,
        posinf,
        neginf,
        found.histogram,
    )


def sample(tensor: Tensor, limit: int) -> Tensor:
    """At most `limit` elements as a 1-d tensor: all of them, or evenly spread ones.

    Spread, not drawn: a debugger that draws random numbers would change the run it shows,
    and a view with steps is a hundred times faster to read than scattered elements.
    """
    tensor = tensor.detach()
    steps = [1] * tensor.dim()
    while tensor[_stepped(steps)].numel() > limit:
        counts = tensor[_stepped(steps)].shape
        longest = max(range(len(counts)), key=counts.__getitem__)
        steps[longest] = 2 * steps[longest] + 1  # odd: structure often repeats evenly
    return tensor[_stepped(steps)].reshape(-1)


def _stepped(steps: Sequence[int]) -> tuple[slice, ...]:
    return tuple(slice(None, None, step) for step in steps)


def pieces(tensor: Tensor, limit: int) -> Iterator[Tensor]:
    """Views that make up `tensor`, none with more than `limit` elements; no copies."""
    if tensor.numel() <= limit:
        yield tensor.detach()
        return
    dim = next(d for d, size in enumerate(tensor.shape) if size > 1)
    rows = max(1, limit * tensor.shape[dim] // tensor.numel())
    for start in range(0, tensor.shape[dim], rows):
        length = min(rows, tensor.shape[dim] - start)
        yield from pieces(tensor.detach().narrow(dim, start, length), limit)


def _real(piece: Tensor) -> Tensor:
    """Flat float64 on the CPU."""
    if piece.is_complex():
        piece = piece.abs()
    return piece.to("cpu", torch.float64).reshape(-1)


def _histogram(values: Tensor, bins: int, low: float, high: float) -> Tensor:
    """Counts of the finite values in equal bins; all in the middle where low equals high."""
    if low == high or not math.isfinite(high - low):
        counts = torch.zeros(bins, dtype=torch.float64)
        counts[bins // 2] = int(values.isfinite().sum())
        return counts
    return torch.histc(values, bins, low, high)  # which leaves out NaN and the infinities


class _Sums:
    """What is carried from piece to piece.

    Means and squared deviations are merged by Chan's formula: sums of squares would lose
    all digits of the std where the mean is large.
    """

    def __init__(self) -> None:
        self.count = self.finite = self.zeros = self.nan = self.posinf = self.neginf = 0
        self.minimum, self.maximum = math.inf, -math.inf
        self.mean = self.deviation = self.norm = 0.0

    def add(self, values: Tensor) -> None:
        """Take in a flat float64 piece."""
        self.count += values.numel()
        finite, mask = values, values.isfinite()
        if not bool(mask.all()):
            self.nan += int(values.isnan().sum())
            self.posinf += int(values.isposinf().sum())
            self.neginf += int(values.isneginf().sum())
            finite = values[mask]
        if not finite.numel():
            return
        self.zeros += finite.numel() - int(finite.count_nonzero())
        ends = torch.aminmax(finite)
        self.minimum = min(self.minimum, ends.min.item())
        self.maximum = max(self.maximum, ends.max.item())
        self.norm = math.hypot(self.norm, torch.linalg.vector_norm(finite).item())
        self._merge_moments(finite)

    def _merge_moments(self, finite: Tensor) -> None:
        mean = finite.mean().item()
        deviation = (finite - mean).square().sum().item()
        n, before = finite.numel(), self.finite
        self.finite = before + n
        gap = mean - self.mean
        self.mean += gap * n / self.finite
        self.deviation += deviation + gap * gap * before * n / self.finite

    def result(self, histogram: tuple[int, ...]) -> Statistics:
        """The figures of all pieces taken in."""
        any_finite = self.finite > 0
        spread = self.deviation / (self.finite - 1) if self.finite > 1 else math.nan
        return Statistics(
            self.count,
            self.count,
            self.minimum if any_finite else math.nan,
            self.maximum if any_finite else math.nan,
            self.mean if any_finite else math.nan,
            math.sqrt(spread) if spread >= 0 else math.nan,
            self.norm,
            self.zeros,
            self.nan,
            self.posinf,
            self.neginf,
            histogram,
        )
