"""Verdicts: how close a manual result is to autograd's, on a ruler made from the op itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

import torch
from torch import Tensor

ROUNDING = 16.0
"""Up to this many times the op's own rounding error, two results differ by rounding alone."""
DIFFERENT = 64.0
"""Beyond this many times the op's own rounding error, they are different results."""
FORMULA = 1e-9
"""In float64, two right formulas are at most this far apart, relative to the terms they sum."""


class Verdict(StrEnum):
    """How a manual result compares with autograd's, from best to worst."""

    EXACT = "exact"
    ROUNDING = "rounding"
    UNCHECKED = "unchecked"
    UNVERIFIED = "unverified"
    AMBER = "amber"
    DIFFERENT = "different"

    @property
    def glyph(self) -> str:
        """One character, so that no verdict is carried by colour alone."""
        return _GLYPHS[self]

    @property
    def rank(self) -> int:
        """0 is best."""
        return list(Verdict).index(self)

    def or_worse(self, other: Verdict) -> Verdict:
        """The worse of the two."""
        return max(self, other, key=lambda verdict: verdict.rank)


_GLYPHS = {
    Verdict.EXACT: "✓",
    Verdict.ROUNDING: "≈",
    Verdict.UNCHECKED: "·",
    Verdict.UNVERIFIED: "?",
    Verdict.AMBER: "~",
    Verdict.DIFFERENT: "✗",
}


@dataclass(frozen=True)
class Comparison:
    """One manual tensor beside autograd's.

    Attributes:
        rho: autograd's distance from the float64 truth, in units of what rounding explains.
        max_abs: largest absolute difference; `max_rel` the largest relative to the larger
            of the two elements; `ulps` the largest in units in the last place.
        worst: index of the element with the largest absolute difference.
        nonfinite: how many elements of the manual tensor are NaN or infinite.
    """

    verdict: Verdict
    rho: float
    max_abs: float
    max_rel: float
    ulps: float
    worst: tuple[int, ...]
    nonfinite: int


def unchecked() -> Comparison:
    """The comparison of what has no counterpart."""
    return Comparison(Verdict.UNCHECKED, 0.0, 0.0, 0.0, 0.0, (), 0)


def worst(comparisons: Iterable[Comparison | None]) -> Verdict:
    """The worst verdict among them, `UNCHECKED` when there is none."""
    verdicts = [item.verdict for item in comparisons if item is not None]
    return max(verdicts, key=lambda verdict: verdict.rank, default=Verdict.UNCHECKED)


def same_bits(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors are equal in shape, dtype and every element, NaN equal to NaN."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    return torch.equal(a, b) or bool(torch.all((a == b) | ((a != a) & (b != b))))


def compare(
    manual: Tensor,
    autograd: Tensor,
    truth: Callable[[], Tensor | None] = lambda: None,
    perturbed: Callable[[], Iterable[Tensor]] = tuple,
    derivative: Callable[[], Tensor | None] = lambda: None,
) -> Comparison:
    """Judge `manual` against `autograd`.

    With t64 the same rule run in float64, and P the largest change of t64 when its inputs
    move by half an eps (``perturbed``, asked only when the cheap ratio is suspicious),

        ρ = max|autograd − t64| / max(max|manual − t64|, ½·eps·max|t64|, P).

    Fixed tolerances are unsound: where the true gradient is 0 two right answers differ by
    100 %, and an absolute tolerance hides a wrong gradient that is small.

    What lies between rounding and different is settled in float64, where rounding is gone and
    a wrong formula is as wrong as before.

    Args:
        manual, autograd: tensors of one shape, of any dtype.
        truth: gives t64, or None where there is none; then only equal bits are exact and
            anything else is `UNCHECKED`.
        perturbed: gives t64 again for each of a few perturbations of its inputs.
        derivative: gives autograd's own answer in float64, None where it has none; then the
            verdict stays `AMBER`.
    """
    found = _differences(manual, autograd)
    if manual.shape != autograd.shape:
        return replace(found, verdict=Verdict.DIFFERENT, rho=math.inf)
    if same_bits(manual, autograd):
        return replace(found, verdict=Verdict.EXACT, rho=0.0)
    reference = truth()
    if reference is None or reference.shape != autograd.shape:
        return found
    ruler = _ruler(manual, autograd, reference, perturbed)
    return replace(found, verdict=_judged(ruler, reference, derivative), rho=ruler.rho)


@dataclass(frozen=True)
class _Ruler:
    """How far autograd is from the truth, and how far rounding alone takes it.

    `scale` is the size of what was summed: where terms cancel, more than that of the result.
    """

    error: float
    floor: float
    scale: float

    @property
    def rho(self) -> float:
        if not self.floor:
            return math.inf if self.error else 0.0
        return self.error / self.floor


def _ruler(
    manual: Tensor,
    autograd: Tensor,
    reference: Tensor,
    perturbed: Callable[[], Iterable[Tensor]],
) -> _Ruler:
    """The error is NaN where only one result is finite, though the truth is representable."""
    info = torch.finfo(autograd.dtype)
    wide = reference.dtype
    manual, autograd = manual.to(wide), autograd.to(wide)
    # Beyond the dtype's range, finite and infinite are the same answer.
    counted = torch.isfinite(reference) & (reference.abs() <= info.max / 2)
    if not torch.equal(torch.isfinite(manual)[counted], torch.isfinite(autograd)[counted]):
        return _Ruler(math.nan, 1.0, 1.0)
    counted &= torch.isfinite(manual) & torch.isfinite(autograd)

    def distance(a: Tensor) -> float:
        return _largest((a - reference)[counted])

    half = 0.5 * info.eps
    error = distance(autograd)
    floor = max(distance(manual), half * _largest(reference[counted]))
    if error > ROUNDING * floor:
        floor = max([floor, *(distance(moved) for moved in perturbed())])
    return _Ruler(error, floor, floor / half)


def _judged(ruler: _Ruler, reference: Tensor, derivative: Callable[[], Tensor | None]) -> Verdict:
    if ruler.rho <= ROUNDING:
        return Verdict.ROUNDING
    if not ruler.rho <= DIFFERENT:
        return Verdict.DIFFERENT
    theirs = derivative()
    if theirs is None:
        return Verdict.AMBER
    gap = _largest(theirs.to(reference.dtype) - reference)
    return Verdict.ROUNDING if gap <= FORMULA * ruler.scale else Verdict.DIFFERENT


def _largest(tensor: Tensor) -> float:
    return float(tensor.abs().max()) if tensor.numel() else 0.0


def _differences(manual: Tensor, autograd: Tensor) -> Comparison:
    nonfinite = int((~torch.isfinite(manual)).sum())
    if manual.shape != autograd.shape or manual.numel() == 0:
        return Comparison(Verdict.UNCHECKED, 0.0, 0.0, 0.0, 0.0, (), nonfinite)
    wide = torch.complex128 if manual.is_complex() or autograd.is_complex() else torch.float64
    a, b = manual.to(wide), autograd.to(wide)
    same = (a == b) | ((a != a) & (b != b))
    gap = torch.where(same, 0.0, (a - b).abs().nan_to_num(math.inf, math.inf))
    size = torch.maximum(a.abs(), b.abs())
    relative = torch.where(gap > 0, gap / size, 0.0).nan_to_num(math.inf)
    position = torch.unravel_index(gap.argmax(), gap.shape)
    return Comparison(
        verdict=Verdict.UNCHECKED,
        rho=0.0,
        max_abs=float(gap.max()),
        max_rel=float(relative.max()),
        ulps=_ulps(manual, autograd),
        worst=tuple(int(i) for i in position),
        nonfinite=nonfinite,
    )


_BITS = {
    torch.float64: torch.int64,
    torch.float32: torch.int32,
    torch.float16: torch.int16,
    torch.bfloat16: torch.int16,
}


def _ulps(a: Tensor, b: Tensor) -> float:
    """The largest number of representable numbers between two elements, NaN and inf left out."""
    if a.is_complex():
        a, b = torch.view_as_real(a.resolve_conj()), torch.view_as_real(b.resolve_conj())
    if a.dtype != b.dtype or a.dtype not in _BITS:
        return 0.0
    finite = torch.isfinite(a) & torch.isfinite(b)
    if not finite.any():
        return 0.0
    places = [_place(tensor[finite]) for tensor in (a, b)]
    return float((places[0] - places[1]).abs().max())


def _place(tensor: Tensor) -> Tensor:
    """Where each number stands in the order of its dtype's numbers; float64 loses what it must."""
    bits = tensor.contiguous().view(_BITS[tensor.dtype]).to(torch.int64)
    lowest = -(2 ** (8 * tensor.element_size() - 1))
    return torch.where(bits < 0, lowest - bits, bits)
