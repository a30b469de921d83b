"""What is measured of two tensors element by element, a piece at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

PIECE = 1 << 16  # elements at a time: what is made of them stays in the processor's cache


def pieces(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """The same stretch of every tensor, flat, so that whatever their sizes little is held."""
    flat = [tensor.reshape(-1) for tensor in tensors]
    if flat[0].numel() <= PIECE:
        yield tuple(flat)
    else:
        yield from zip(*(tensor.split(PIECE) for tensor in flat), strict=True)


def largest(tensor: Tensor) -> float:
    """The largest absolute value, NaN if there is one."""
    if not tensor.numel():
        return 0.0
    if tensor.is_complex():
        return float(tensor.abs().max())
    low, high = torch.aminmax(tensor)
    return max(-float(low), float(high))


def gaps(ours: Tensor, theirs: Tensor) -> tuple[Tensor, Tensor]:
    """How far apart the elements are, and that relative to the larger. NaN is like NaN only."""
    wide = torch.promote_types(narrow(ours), narrow(theirs))
    a, b = ours.to(wide), theirs.to(wide)
    gap = (a - b).abs()
    ratio = gap / torch.maximum(a.abs(), b.abs())
    if not torch.isfinite(ratio.sum()):
        same = (a == b) | ((a != a) & (b != b))
        gap = torch.where(same, 0.0, gap.nan_to_num(math.inf, math.inf))
        ratio = torch.where(same, 0.0, ratio.nan_to_num(math.inf, math.inf))
    return gap, ratio


def narrow(tensor: Tensor) -> torch.dtype:
    """The cheapest dtype that tensors of its dtype can be subtracted in."""
    return torch.promote_types(tensor.dtype, torch.float32)


def nonfinite(tensor: Tensor) -> int:
    """How many elements are NaN or infinite."""
    if tensor.numel() == 0 or torch.isfinite(tensor.sum()):
        return 0
    return int((~torch.isfinite(tensor)).sum())


def unravelled(position: int, shape: Sequence[int]) -> tuple[int, ...]:
    index: list[int] = []
    for length in reversed(shape):
        position, rest = divmod(position, length)
        index.insert(0, rest)
    return tuple(index)


_BITS = {
    torch.float64: torch.int64,
    torch.float32: torch.int32,
    torch.float16: torch.int16,
    torch.bfloat16: torch.int16,
}


def ulps(a: Tensor, b: Tensor, one_sign: bool = False) -> float:
    """The largest number of representable numbers between two elements, NaN and inf left out.

    Faster where it is known that no two have different signs.
    """
    if a.is_complex():
        a, b = torch.view_as_real(a.resolve_conj()), torch.view_as_real(b.resolve_conj())
    if a.dtype != b.dtype or a.dtype not in _BITS:
        return 0.0
    if not torch.isfinite((a - b).sum()):
        finite = torch.isfinite(a) & torch.isfinite(b)
        if not finite.any():
            return 0.0
        a, b = a[finite], b[finite]
    if one_sign:
        bits = _BITS[a.dtype]
        low, high = torch.aminmax(a.abs().view(bits) - b.abs().view(bits))
        return float(max(-int(low), int(high)))
    return float((_place(a) - _place(b)).abs().max())


def _place(tensor: Tensor) -> Tensor:
    """Where each number stands in the order of its dtype's numbers; float64 loses what it must."""
    bits = tensor.contiguous().view(_BITS[tensor.dtype]).to(torch.int64)
    lowest = -(2 ** (8 * tensor.element_size() - 1))
    return torch.where(bits < 0, lowest - bits, bits)
