"""A scrolling pane of a few lines of text."""

from __future__ import annotations

import textwrap
from collections.abc import Hashable, Iterable, Sequence
from itertools import accumulate
from typing import ClassVar

from rich.text import Text
from textual.binding import BindingType

from .panes.lines import LinePane


class Words(LinePane):
    """Lines that are cut at the pane's edge, or go on below, between words, where `wrapped`."""

    BINDINGS: ClassVar[list[BindingType]] = []

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._text: list[Text] = []
        self._lines: list[Text] = []
        self._keys: list[Hashable] = []
        self._wrapped = False

    def show(self, lines: Sequence[Text], wrapped: bool = False) -> None:
        """Show these lines instead."""
        self._text, self._wrapped = list(lines), wrapped
        self._wrap()
        self.repaint()

    def _wrap(self) -> None:
        width = self.line_width
        self._lines = self._text
        if self._wrapped and width > 0:
            self._lines = [part for line in self._text for part in _wrapped(line, width)]
        self._keys = [(line.plain, line.style, *line.spans) for line in self._lines]
        self.measure()

    def on_resize(self) -> None:
        self._wrap()
        self.repaint()  # what was painted at the new size before this was wrapped for the old one

    def line_count(self) -> int:
        return len(self._lines)

    def line_key(self, line: int) -> Hashable:
        return self._keys[line]

    def line_text(self, line: int, width: int) -> Text:
        return self._lines[line].copy()


def _wrapped(line: Text, width: int) -> Iterable[Text]:
    parts = textwrap.wrap(
        line.plain, width, drop_whitespace=False, replace_whitespace=False, expand_tabs=False
    )
    return line.divide(list(accumulate(map(len, parts)))[:-1]) if parts else [line]
