"""Verdicts: how close a manual result is to autograd's, on a ruler made from the op itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

import torch
from torch import Tensor

from . import elements

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
        return _RANKS[self]

    def or_worse(self, other: Verdict) -> Verdict:
        """The worse of the two."""
        return max(self, other, key=lambda verdict: verdict.rank)


_RANKS = {verdict: rank for rank, verdict in enumerate(Verdict)}
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
        rho: autograd's distance from the float64 truth, in units of what rounding explains; the
            most that it can be where `bound` decides.
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


class Standing(NamedTuple):
    """A comparison without its figures."""

    verdict: Verdict
    rho: float


def unchecked() -> Comparison:
    """The comparison of what has no counterpart."""
    return Comparison(Verdict.UNCHECKED, 0.0, 0.0, 0.0, 0.0, (), 0)


def worst(comparisons: Iterable[Comparison | Standing | None]) -> Verdict:
    """The worst verdict among them, `UNCHECKED` when there is none."""
    verdicts = [item.verdict for item in comparisons if item is not None]
    return max(verdicts, key=lambda verdict: verdict.rank, default=Verdict.UNCHECKED)


def same_bits(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors are equal in shape, dtype and every element, NaN equal to NaN."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if a.dtype == torch.complex32:  # which torch cannot compare
        a, b = torch.view_as_real(a.resolve_conj()), torch.view_as_real(b.resolve_conj())
    return all(torch.equal(x, y) or _alike(x, y) for x, y in elements.pieces(a, b))


def _alike(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors that are not equal are so but for their NaN."""
    if not torch.isnan(a.sum()):
        return False
    return bool(torch.all((a == b) | ((a != a) & (b != b))))


def bound(manual: Tensor, autograd: Tensor, again: Tensor | None = None) -> float:
    """The most that ρ can be, whatever the truth is; infinite where nothing can be said.

    For |autograd − t64| ≤ |autograd − manual| + |manual − t64|, of which the ruler holds the
    second. `again`, where it is given, is `manual` once more from inputs within one eps: the
    two are apart by the errors of both and by 2·P at most, which is 4 times the ruler, if that
    holds the errors of both. From cotangents that are apart by the rounding of a chain so far it
    is taken by the same measure.
    """
    if manual.shape != autograd.shape or manual.dtype != autograd.dtype:
        return math.inf
    narrow = elements.narrow(manual)
    gap = size = spread = 0.0
    for pieces in elements.pieces(manual, autograd, *([] if again is None else [again])):
        ours, theirs, *moved = (piece.to(narrow) for piece in pieces)
        found = (
            elements.largest(ours - theirs),
            elements.largest(ours),
            *(elements.largest(m - ours) for m in moved),
        )
        if not sum(found) < math.inf:
            return math.inf
        gap, size, spread = max(gap, found[0]), max(size, found[1]), max(spread, *found[2:], 0.0)
    unit = max(0.5 * torch.finfo(autograd.dtype).eps * size, spread / 4)
    if not unit:
        return math.inf if gap else 1.0
    return 1 + gap / unit


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
        perturbed: gives t64 again for each of a few perturbations of its inputs; a chain of
            many ops is run in its own dtype instead, with rounding errors of its own.
        derivative: gives autograd's own answer in float64, None where it has none; then the
            verdict stays `AMBER`.
    """
    trial = Trial(manual, autograd, truth)
    for moved in perturbed() if trial.suspicious else ():
        trial.loosen(moved)
        if not trial.suspicious:
            break
    return trial.verdict(derivative)


def differences(manual: Tensor, autograd: Tensor) -> Comparison:
    """The figures of a comparison, which has no verdict yet unless the two are equal."""
    manual, autograd = manual.contiguous(), autograd.contiguous()
    return _equal(manual) if same_bits(manual, autograd) else _differences(manual, autograd)


class Trial:
    """One comparison (see `compare`), open until the perturbed truths have been heard.

    `suspicious` says whether they are needed: each is given to `loosen`, in any order and
    number, before `verdict` closes the case.
    """

    def __init__(
        self, manual: Tensor, autograd: Tensor, truth: Callable[[], Tensor | None]
    ) -> None:
        self._reference: Tensor | None = None
        self._error = self._floor = 0.0
        manual, autograd = manual.contiguous(), autograd.contiguous()
        self._found = differences(manual, autograd)
        if self._found.verdict is Verdict.EXACT:
            return
        if manual.shape != autograd.shape:
            self._found = replace(self._found, verdict=Verdict.DIFFERENT, rho=math.inf)
            return
        reference = truth()
        if reference is not None and reference.shape == autograd.shape:
            info = torch.finfo(autograd.dtype)
            self._reference, self._half, self._top = reference, 0.5 * info.eps, info.max / 2
            self._error, own, size = _distances(manual, autograd, reference, self._top)
            self._floor = max(own, self._half * size)

    @property
    def rho(self) -> float:
        """The error in units of what rounding explains."""
        if not self._floor:
            return math.inf if self._error else 0.0
        return self._error / self._floor

    @property
    def suspicious(self) -> bool:
        """Whether ρ is too large, so far, to be rounding."""
        return self._reference is not None and self.rho > ROUNDING

    def loosen(self, moved: Tensor) -> None:
        """Take account of t64, or of a chain, from other inputs within half an eps."""
        if self._reference is not None:
            distance = _distances(moved, moved, self._reference, self._top)[0]
            self._floor = max(self._floor, distance)

    def standing(self) -> Standing:
        """The verdict and ρ, with autograd's own answer in float64 not asked."""
        found = self.verdict()
        return Standing(found.verdict, found.rho)

    def verdict(self, derivative: Callable[[], Tensor | None] = lambda: None) -> Comparison:
        """The comparison; `derivative` as in `compare`."""
        if self._reference is None:
            return self._found
        verdict = Verdict.DIFFERENT
        if self.rho <= ROUNDING:
            verdict = Verdict.ROUNDING
        elif self.rho <= DIFFERENT:
            verdict = self._settled(self._reference, derivative())
        return replace(self._found, verdict=verdict, rho=self.rho)

    def _settled(self, reference: Tensor, derivative: Tensor | None) -> Verdict:
        """In float64 rounding is gone. Where terms cancel, it is relative to the terms."""
        if derivative is None:
            return Verdict.AMBER
        gap = _distances(derivative, derivative, reference, self._top)[0]
        scale = self._floor / self._half
        return Verdict.ROUNDING if gap <= FORMULA * scale else Verdict.DIFFERENT


def _distances(
    manual: Tensor, autograd: Tensor, reference: Tensor, top: float
) -> tuple[float, float, float]:
    """The largest |autograd − t64|, |manual − t64| and |t64|, of which t64 is below `top`.

    The first is NaN where only one result is finite, though the truth is representable, or NaN.
    """
    error = own = size = 0.0
    for ours, theirs, truth in elements.pieces(manual, autograd, reference):
        ours, theirs = ours.to(truth.dtype), theirs.to(truth.dtype)
        found = (
            elements.largest(theirs - truth),
            elements.largest(ours - truth),
            elements.largest(truth),
        )
        if not sum(found) < top:
            # Beyond the dtype's range, finite and infinite are the same answer.
            counted = torch.isfinite(truth) & (truth.abs() <= top)
            judged = counted | torch.isnan(truth)
            if not torch.equal(torch.isfinite(ours)[judged], torch.isfinite(theirs)[judged]):
                return math.nan, 1.0, 1.0
            counted &= torch.isfinite(ours) & torch.isfinite(theirs)
            ours, theirs, truth = ours[counted], theirs[counted], truth[counted]
            found = (
                elements.largest(theirs - truth),
                elements.largest(ours - truth),
                elements.largest(truth),
            )
        error, own, size = max(error, found[0]), max(own, found[1]), max(size, found[2])
    return error, own, size


def _equal(tensor: Tensor) -> Comparison:
    """The comparison of a tensor with itself."""
    place = (0,) * tensor.dim()
    return Comparison(Verdict.EXACT, 0.0, 0.0, 0.0, 0.0, place, elements.nonfinite(tensor))


def _differences(manual: Tensor, autograd: Tensor) -> Comparison:
    """Without a verdict yet."""
    if manual.shape != autograd.shape or manual.numel() == 0:
        return replace(unchecked(), nonfinite=elements.nonfinite(manual))
    largest, at, relative, ulps = -1.0, 0, 0.0, 0.0
    for number, (ours, theirs) in enumerate(elements.pieces(manual, autograd)):
        gap, ratio = elements.gaps(ours, theirs)
        most, top = float(gap.max()), float(ratio.max())
        if most > largest:
            largest, at = most, number * elements.PIECE + int(gap.argmax())
        relative = max(relative, top)
        if ours.is_complex() or math.isinf(top):
            ulps = max(ulps, elements.ulps(ours, theirs))
        elif top >= 0.25 * min(relative, 1.0):
            # Most numbers lie between the two where the ratio is largest, give or take an octave.
            if top >= 1.0:
                near = (ratio >= 0.25).nonzero().squeeze(1)
                ours, theirs = ours[near], theirs[near]
            ulps = max(ulps, elements.ulps(ours, theirs, one_sign=top < 1.0))
    return Comparison(
        verdict=Verdict.UNCHECKED,
        rho=0.0,
        max_abs=largest,
        max_rel=relative,
        ulps=ulps,
        worst=elements.unravelled(at, manual.shape),
        nonfinite=elements.nonfinite(manual),
    )
