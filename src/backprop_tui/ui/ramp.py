"""The diverging ramp of heat maps: blue below zero, orange above, and marks that need no colour."""

from __future__ import annotations

import math
from functools import lru_cache

from rich.style import Style

from .theme import LEVELS, Palette, heat

POSITIVE = " ▵△▲"
NEGATIVE = " ▿▽▼"


def mark(level: int) -> str:
    """One character for the sign and the rough size of a heat level."""
    size = math.ceil(abs(level) * (len(POSITIVE) - 1) / LEVELS)
    return (POSITIVE if level > 0 else NEGATIVE)[size]


class Ramp:
    """The styles of a grid's cells in one palette, made once: a page has hundreds of cells."""

    def __init__(self, palette: Palette) -> None:
        self.label = Style(color=palette.muted)
        self.plain = Style(color=palette.text)
        self._heat = [heat(level, palette) for level in range(-LEVELS, LEVELS + 1)]
        self._nan = Style(color=palette.bad, bold=True, reverse=True)
        self._infinite = Style(color=palette.warn, bold=True, reverse=True)
        if palette.ansi:
            self._here = self._left = Style(reverse=True, bold=True)
        else:
            self._here = Style(color=palette.on_accent, bgcolor=palette.accent, bold=True)
            self._left = Style(color=palette.accent, bold=True, underline=True)

    def cell(self, value: complex, level: int, heated: bool) -> Style:
        """How a cell looks; what is not finite stands out with or without the heat map."""
        if value != value:
            return self._nan
        if isinstance(value, float) and math.isinf(value):
            return self._infinite
        return self._heat[level + LEVELS] if heated else self.plain

    def cursor(self, focused: bool) -> Style:
        """Added to the cell under the cursor; in the accent's colour while one is there."""
        return self._here if focused else self._left


@lru_cache(maxsize=8)
def ramp_of(palette: Palette) -> Ramp:
    """The ramp of a palette."""
    return Ramp(palette)
