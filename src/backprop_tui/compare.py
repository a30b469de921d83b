"""Verdicts: how close the manual result is to autograd's."""
from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

class Verdict(StrEnum):
    """How a manual result compares with autograd's, from best to worst."""

    EXACT = "exact"
    ROUNDING = "rounding"
    AMBER = "amber"
    UNVERIFIED = "unverified"
    UNCHECKED = "unchecked"
    DIFFERENT = "different"

    @property
    def glyph(self) -> str:
        """One character, so that no verdict is carried by colour alone."""
        return {"exact": "✓", "rounding": "≈", "amber": "~", "unverified": "?", "unchecked": "·", "different": "✗"}[self]

@dataclass(frozen=True)
class Comparison:
    verdict: Verdict
    rho: float
    max_abs: float
    max_rel: float
    ulps: float
    worst: tuple[int, ...]   # index of the worst element
    nonfinite: int           # NaN and inf elements in the manual tensor
