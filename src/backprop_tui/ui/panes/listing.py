"""A small pane of things to choose from; out of sight while there is none."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

from rich.text import Text
from textual.events import Click

from .lines import LinePane

T = TypeVar("T")


class Listing(LinePane, Generic[T]):
    """One line an item, one of them selected. A subclass says how an item looks (`item_text`)."""

    MOST_LINES = 8

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.items: tuple[T, ...] = ()
        self.selected = 0

    def show(self, items: Sequence[T]) -> None:
        """Show these."""
        count, self.items = len(self.items), tuple(items)
        self.selected = max(0, min(self.selected, len(items) - 1))
        if count != len(items):
            self.display = bool(items)
            self.styles.height = min(len(items), self.MOST_LINES) + 2
            self.forget()
        self.repaint()

    def item_text(self, item: T) -> Text:
        """How an item looks."""
        raise NotImplementedError

    def line_count(self) -> int:
        return len(self.items)

    def line_key(self, line: int) -> Hashable:
        return line, self.items[line], line == self.selected and self.has_focus

    def line_text(self, line: int, width: int) -> Text:
        out = self.item_text(self.items[line])
        if line == self.selected and self.has_focus:
            out.pad_right(max(0, width - out.cell_len))
            out.stylize(f"underline on {self.palette.raised}")
        return out

    def on_focus(self) -> None:
        self.repaint()

    def on_blur(self) -> None:
        self.repaint()

    def action_line_up(self) -> None:
        self._select(self.selected - 1)

    def action_line_down(self) -> None:
        self._select(self.selected + 1)

    def on_click(self, event: Click) -> None:
        offset = event.get_content_offset(self)
        if offset is not None:
            self._select(int(self.scroll_offset.y) + offset.y)

    def _select(self, line: int) -> None:
        self.selected = max(0, min(len(self.items) - 1, line))
        self.repaint()
