"""The diverging ramp of heat maps: blue below zero, orange above, and marks that need no colour."""

from __future__ import annotations

import math

from rich.style import Style

from .theme import LEVELS, Palette, heat

POSITIVE = " ▵△▲"
NEGATIVE = " ▿▽▼"


def mark(level: int) -> str:
    """One character for the sign and the rough size of a heat level."""
    size = math.ceil(abs(level) * (len(POSITIVE) - 1) / LEVELS)
    return (POSITIVE if level > 0 else NEGATIVE)[size]


def cell_style(value: complex, level: int, palette: Palette, heated: bool) -> Style:
    """How a cell looks; what is not finite stands out with or without the heat map."""
    if value != value:
        return Style(color=palette.bad, bold=True, reverse=True)
    if isinstance(value, float) and math.isinf(value):
        return Style(color=palette.warn, bold=True, reverse=True)
    return heat(level, palette) if heated else Style(color=palette.text)


def cursor_style(palette: Palette, focused: bool) -> Style:
    """The cell under the cursor, in the accent's colour while the grid has the focus."""
    if palette.ansi:
        return Style(reverse=True, bold=True)
    if focused:
        return Style(color=palette.on_accent, bgcolor=palette.accent, bold=True)
    return Style(color=palette.accent, bold=True, underline=True)
