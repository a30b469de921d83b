"""The inspector's words: the element under the cursor, statistics, the terms of a sum."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from .charts import strip
from .theme import Palette

if TYPE_CHECKING:
    from torch import Tensor

    from ..expand import Expansion
    from ..statistics import Statistics


def position(index: Sequence[int]) -> str:
    """``[1, 2]``; nothing for the only element of a scalar."""
    return f"[{', '.join(map(str, index))}]" if index else ""


def headline(
    name: str,
    value: Tensor,
    index: tuple[int, ...],
    twin: tuple[str, Tensor] | None,
    room: int,
    palette: Palette,
) -> Text:
    """``rex4[1, 2] = 3.6751368   pgrad[2][1, 2] = 3.6751368   Δ 0   0 ulp``.

    Every digit of the element, then its twin's, which is left out where room is short.
    """
    from ..numbers import exact_text

    text = Text().append(f"{name}{position(index)}", f"bold {palette.accent}")
    text.append(f" = {exact_text(value[index])}", f"bold {palette.bright}")
    if twin is None:
        return text
    label, other = twin
    if other.shape != value.shape:
        size = "×".join(map(str, other.shape)) or "scalar"
        return text.append(f"   {label} is {size}: another shape", palette.warn)
    beside = Text("   ").append(f"{label}{position(index)} ", palette.muted)
    beside.append(f"= {exact_text(other[index])}", palette.text)
    gap = _gap(value[index], other[index], palette)
    if text.cell_len + beside.cell_len + gap.cell_len <= room:
        text.append(beside)
    return text.append(gap)


def _gap(one: Tensor, other: Tensor, palette: Palette) -> Text:
    """``   Δ 0   0 ulp``: how far the two elements lie apart."""
    from ..numbers import ulps

    gap = one.item() - other.item()
    text = Text(f"   Δ {gap:.3g}" if gap == gap else "   Δ NaN", palette.text)
    apart = ulps(one, other)
    if apart is not None:
        text.append(f"   {apart:,} ulp", palette.good if apart == 0 else palette.text)
    return text


def figure(value: float) -> str:
    """A statistic: five significant digits, whole numbers as they are."""
    if not math.isfinite(value):
        return "–" if value != value else "∞"
    if value == int(value) and abs(value) < 1e6:
        return str(int(value))
    return f"{value:.5g}" if abs(value) >= 1e5 or 0 < abs(value) < 1e-3 else f"{value:.4f}"


def summary(found: Statistics, room: int, palette: Palette) -> Text:
    """The statistics in one line, the most telling first where room is short."""
    text = Text()
    if not found.count:
        return text
    for name, count in (("NaN", found.nan), ("+∞", found.posinf), ("-∞", found.neginf)):
        if count:
            text.append(f"{name} {count:,}  ", f"bold {palette.bad}")
    figures = [("min", figure(found.minimum)), ("max", figure(found.maximum))]
    figures += [("norm", figure(found.norm)), ("zeros", f"{found.zeros:,}")]
    if not found.nan:
        figures.append(("nan", "0"))
    figures[2:2] = [("mean", figure(found.mean)), ("std", figure(found.std))] if room > 96 else []
    for name, shown in figures:
        if text.cell_len + len(name) + len(shown) < room:
            text.append(f"{name} {shown}  ", palette.muted)
    if found.sampled:
        text.append(f"≈ from {found.looked_at:,} of {found.count:,}  ", palette.warn)
    if text.cell_len + len(found.histogram) < room:
        text.append(f" {strip(found.histogram)}", palette.formula)
    text.rstrip()
    return text


def panel(found: Statistics, width: int, palette: Palette) -> list[Text]:
    """The statistics as a table, with the histogram and its ends."""
    left = [("min", found.minimum), ("max", found.maximum), ("mean", found.mean)]
    left += [("std", found.std), ("norm", found.norm)]
    right = [("zeros", found.zeros), ("NaN", found.nan), ("+∞", found.posinf)]
    right += [("-∞", found.neginf), ("of", found.count)]
    lines = []
    for (name, value), (word, count) in zip(left, right, strict=True):
        line = Text(f"{name:<5}", palette.muted).append(f"{figure(value):>11}", palette.text)
        faulty = count and word in ("NaN", "+∞", "-∞")
        line.append(f"  {word:<6}", palette.muted)
        share = f" ({100 * count / found.count:.0f}%)" if count and word == "zeros" else ""
        line.append(f"{count:,}{share}", f"bold {palette.bad}" if faulty else palette.text)
        lines.append(line)
    ends = Text(strip(found.histogram), palette.formula)
    if not math.isnan(found.minimum):
        ends.append(f" {figure(found.minimum)} … {figure(found.maximum)}", palette.muted)
    lines.append(ends)
    if found.sampled:
        note = f"≈ from {found.looked_at:,} of {found.count:,}; counting them all"
        lines.append(Text(note[:width], palette.warn))
    return lines


def terms(expansion: Expansion, palette: Palette) -> list[Text]:
    """How the element came about: the formula, then its terms."""
    lines = [Text(line, palette.text) for line in expansion.lines()]
    lines[0].style = palette.formula
    notes = {expansion.rest, expansion.note} - {""}
    for line in lines[1:]:
        if line.plain.strip() in notes:
            line.style = palette.muted
        elif line.plain.strip().startswith("where "):
            line.style = palette.formula
    return lines
