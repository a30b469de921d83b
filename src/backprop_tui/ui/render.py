"""Values as text: numbers, small heat maps, histograms, health and verdicts.

Widgets only place what these functions return. Torch is needed by the values
themselves, never by this module.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.style import Style
from rich.text import Text

from .theme import LEVELS, Palette, heat

if TYPE_CHECKING:
    from torch import Tensor

    from ..compare import Verdict

BARS = "▁▂▃▄▅▆▇█"
SMALL_ROWS, SMALL_COLUMNS = 8, 16
"""A tensor of at most this many rows and columns shows its numbers in the pane."""

HISTOGRAM_SAMPLE = 1 << 14
"""A histogram of more elements is drawn from every k-th, so that a step stays quick."""
PIECE = 1 << 12


def shape_of(value: Tensor) -> str:
    """``2×3``, or ``scalar``."""
    return "×".join(map(str, value.shape)) or "scalar"


def is_small(value: Tensor) -> bool:
    """Whether the numbers themselves are shown in a pane."""
    if value.dim() > 2 or value.numel() == 0:
        return False
    rows, columns = matrix_size(value)
    return rows <= SMALL_ROWS and columns <= SMALL_COLUMNS


def matrix_size(value: Tensor) -> tuple[int, int]:
    """Rows and columns of a tensor of at most two dimensions; a vector is one row."""
    if value.dim() == 2:
        rows, columns = value.shape
        return rows, columns
    return 1, value.numel()


def number(value: float, width: int) -> str:
    """`value` in at most `width` characters, with as many decimals (up to 3) as fit."""
    if value != value:
        return "NaN"
    if math.isinf(value):
        return "-∞" if value < 0 else "+∞"
    if value == int(value) and abs(value) < 10 ** (width - 1):
        return str(int(value))
    for decimals in (3, 2, 1, 0):
        text = f"{value:.{decimals}f}"
        if len(text) <= width and float(text):
            return text
    for decimals in (1, 0):
        text = f"{value:.{decimals}e}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")
        if len(text) <= width:
            return text
    return text[:width]


def precise(value: float) -> str:
    """A number for a line of text: seven significant digits."""
    return f"{value:.7g}" if math.isfinite(value) else number(value, 4)


def cell_width(columns: int, room: int) -> int:
    """How wide a heat map's cells are: 7, or less if only so all columns fit into `room`."""
    return next((width for width in (7, 6) if columns * width <= room), 5)


class Cell(NamedTuple):
    """A number of a heat map as text, its level, and whether it is finite."""

    text: str
    level: int
    finite: bool


def matrix_cells(value: Tensor, room: int) -> list[tuple[Cell, ...]]:
    """A small tensor row by row, as many cells of each row as fit into `room`."""
    rows, columns = matrix_size(value)
    width = cell_width(columns, room)
    fitting = min(columns, room // width)
    if fitting < columns and fitting * width == room:
        fitting -= 1
    numbers = value.detach().reshape(rows, columns).tolist()
    scale = _scale(item for row in numbers for item in row)
    return [tuple(_cell(item, width, scale) for item in row[:fitting]) for row in numbers]


def matrix_row(cells: Sequence[Cell], columns: int, palette: Palette) -> Text:
    """One row of `columns` numbers, of which these cells fit, as a coloured strip."""
    out = Text()
    for text, level, finite in cells:
        lost = -math.inf if level < 0 else math.nan
        out.append(text, heat(level, palette) if finite else nonfinite_style(lost, palette))
    if len(cells) < columns:
        out.append("…", palette.muted)
    return out


def nonfinite_style(item: float | complex, palette: Palette) -> Style:
    """How NaN and infinity look, wherever they are; −∞ is calm, for masks are made of it."""
    if item == -math.inf:
        return Style(color=palette.muted)
    return Style(color=palette.on_accent, bgcolor=palette.bad, bold=True)


def _cell(item: Any, width: int, scale: float) -> Cell:
    """A number in a cell. In a narrow one a minus sign may take the gap: it separates as well."""
    if isinstance(item, complex):
        text = f" {item:.1g}"[:width].rjust(width)
    elif width >= 7:
        text = number(float(item), width - 1).rjust(width - 1) + " "
    else:
        text = number(float(item), width if item < 0 else width - 1).rjust(width)
    return Cell(text, level(item, scale), math.isfinite(abs(item)))


def norm(value: Tensor) -> float:
    """The 2-norm to all digits that are shown: float32 loses them in a long sum.

    So only a sum of pieces is one of float64, which takes a twentieth of the time for a large
    tensor; where a piece may be beyond the range of float32, all of it is.
    """
    value = value.detach().reshape(-1)
    pieces = value.numel() // PIECE
    if pieces and str(value.dtype) == "torch.float32":
        whole = value[: pieces * PIECE].view(pieces, PIECE).norm(dim=1).double().norm()
        found = math.hypot(float(whole), float(value[pieces * PIECE :].double().norm()))
        if 1e-10 < found < math.inf:
            return found
    return float((value if value.is_complex() else value.double()).norm())


def _scale(items: Iterable[complex]) -> float:
    """The largest finite size among numbers: what full colour stands for."""
    return max((size for size in map(abs, items) if math.isfinite(size)), default=0.0)


def level(item: float | complex, scale: float) -> int:
    """The heat level of one number against the tensor's largest."""
    if isinstance(item, complex):
        item = abs(item)
    if item != item or not item:
        return 0
    if math.isinf(item):
        return LEVELS if item > 0 else -LEVELS
    return round(max(-1.0, min(1.0, item / scale)) * LEVELS) if scale else 0


def pending_row(columns: int, room: int, palette: Palette) -> Text:
    """Where a row of so many numbers will be, before they are computed."""
    width = cell_width(columns, room)
    return Text(
        "·".rjust(width - (width >= 7)).ljust(width) * min(columns, room // width), palette.dim
    )


def histogram(value: Tensor, bins: int = 10) -> str:
    """The distribution of the finite elements as a strip of `bins` blocks."""
    flat = value.detach().reshape(-1)
    flat = flat[:: max(1, flat.numel() // HISTOGRAM_SAMPLE)]
    flat = (flat.abs() if flat.is_complex() else flat).double()
    flat = flat[flat.isfinite()]
    if not flat.numel():
        return " " * bins
    counts = flat.histc(bins).tolist()
    top = max(counts) or 1.0
    return "".join(BARS[math.ceil(c / top * (len(BARS) - 1))] if c else " " for c in counts)


def sparks(value: Tensor, palette: Palette) -> Text:
    """A few elements as one bar each: its height the size, its colour the sign."""
    items = [abs(v) if isinstance(v, complex) else float(v) for v in value.reshape(-1).tolist()]
    scale = _scale(items)
    out = Text()
    for item in items:
        high = abs(level(item, scale)) / LEVELS
        bar = BARS[round(high * (len(BARS) - 1))] if item else "·"
        colour = palette.negative if item < 0 else palette.positive if item else palette.dim
        if math.isfinite(item):
            out.append(bar, colour)
        else:
            out.append("−" if item < 0 else "!", nonfinite_style(item, palette))
    return out


def nonfinite(value: Tensor) -> str:
    """``NaN``, ``inf`` or ``-inf`` if the tensor holds any, in this order; else an empty string."""
    if not (value.is_floating_point() or value.is_complex()) or bool(value.isfinite().all()):
        return ""
    if bool(value.isnan().any()):
        return "NaN"
    return "-inf" if not value.is_complex() and bool((value < math.inf).all()) else "inf"


def summary(value: Tensor, room: int, palette: Palette) -> Text:
    """One line about a tensor: its elements if few, else what is wrong, histogram, norm, dtype."""
    if not value.numel():
        return Text("empty", palette.muted)
    if value.numel() <= room:
        return sparks(value, palette)
    out, size = Text(), norm(value)
    fault = "" if math.isfinite(size) else nonfinite(value)
    if fault:
        out.append(
            f" {fault} ", nonfinite_style(-math.inf if fault == "-inf" else math.nan, palette)
        )
    out.append(histogram(value), palette.formula)
    if not fault:
        out.append(f" ‖{number(size, 7)}‖", palette.muted)
    dtype = str(value.dtype).removeprefix("torch.")
    if out.cell_len + len(dtype) < room:
        out.append(f" {dtype}", palette.dim)
    out.truncate(room, overflow="ellipsis")
    return out


def badge(verdict: Verdict, palette: Palette, words: bool = True) -> Text:
    """``✓ exact``, or only the glyph."""
    text = f"{verdict.glyph} {verdict.value}" if words else verdict.glyph
    return Text(text, palette.verdict(verdict.value))
