"""The first frame: the outline of the screen, painted as one widget before anything else is loaded.

It stands for the few hundred milliseconds in which the panes are built, while torch is
imported beside them; so it imports hardly anything itself.
"""

from __future__ import annotations

from itertools import pairwise

from rich.segment import Segment
from rich.style import Style
from textual.app import ComposeResult
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

from .theme import palette_of

STEPS_WIDTH = 28
SIDE_BY_SIDE = 100
UPPER = ("1 steps", "2 forward", "3 manual", "4 autograd")
LOWER = ("5 source", "6 inspector")


class Opening(Screen[None]):
    """Nothing but the outline."""

    def __init__(self, title: str, intro: str) -> None:
        super().__init__()
        self._outline = Outline(title, intro)

    def compose(self) -> ComposeResult:
        yield self._outline


class Outline(Widget):
    """The title, the frames of the panes, and a few words about what is going to be debugged."""

    # Every segment has a style, be it empty: Textual's filter for NO_COLOR asks for one.

    DEFAULT_CSS = "Outline { width: 1fr; height: 1fr; }"

    def __init__(self, title: str, intro: str) -> None:
        super().__init__()
        self._title = title
        self._intro = intro

    def render_line(self, y: int) -> Strip:
        look = palette_of(self.app.theme, self.app.current_theme.dark)
        width = self.size.width
        if y == 0:
            title = Segment(
                f" {self._title} ", Style.parse(f"bold {look.on_accent} on {look.accent}")
            )
            rest = Segment(" importing torch…", Style.parse(look.text))
            return Strip([title, rest]).adjust_cell_length(width, Style())
        lines = outline(width, self.size.height - 2, self._intro)
        text = lines[y - 1] if y <= len(lines) else ""
        return Strip([Segment(text, Style.parse(look.muted))]).adjust_cell_length(width, Style())


def outline(width: int, height: int, intro: str) -> list[str]:
    """The panes' frames in `height` lines of `width` cells, `intro` in the last but one."""
    if width < STEPS_WIDTH + 10 or height < 6:
        return []
    third = (width - STEPS_WIDTH) / 3
    columns = [0, *(int(STEPS_WIDTH + third * i) for i in range(3)), width]
    if width < SIDE_BY_SIDE:
        return _boxes([0, STEPS_WIDTH, width], (UPPER[0], UPPER[1]), height, intro, 1)
    upper = round(height * 2 / 3)
    lower = [0, columns[2], width]
    return _boxes(columns, UPPER, upper, "", 0) + _boxes(lower, LOWER, height - upper, intro, 0)


def _boxes(
    edges: list[int], titles: tuple[str, ...], height: int, words: str, number: int
) -> list[str]:
    """Frames side by side from edge to edge, with `words` in one of them."""
    said = words.splitlines()
    widths = [right - left for left, right in pairwise(edges)]
    lines = [
        "".join(f"╭─ {t} ".ljust(w - 1, "─") + "╮" for t, w in zip(titles, widths, strict=True))
    ]
    for row in range(height - 2):
        line = ""
        for at, width in enumerate(widths):
            text = said[row] if at == number and row < len(said) else ""
            line += (
                f"│{text[: width - 3]:<{width - 2}}│"
                if not text
                else f"│ {text[: width - 4]:<{width - 3}}│"
            )
        lines.append(line)
    lines.append("".join("╰" + "─" * (w - 2) + "╯" for w in widths))
    return lines
