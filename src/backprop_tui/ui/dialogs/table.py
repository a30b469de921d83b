"""A table to read: the dimensions of the lesson, or the ledger of `.grad`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from ..theme import palette_of


class TableDialog(ModalScreen[None]):
    """Rows of (what is computed, its shapes), or of other two words, and what the signs mean."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,D,G", "dismiss", "close", id="table.close"),
    ]

    def __init__(self, title: str, rows: Sequence[tuple[str, str]], signs: str) -> None:
        super().__init__()
        self._title, self._rows, self._signs = title, rows, signs

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog"):
            yield Static(self._text())

    def on_mount(self) -> None:
        box = self.query_one(VerticalScroll)
        box.border_title = self._title
        box.border_subtitle = "esc closes"
        box.focus()

    def _text(self) -> Text:
        look = palette_of(self.app.theme, self.app.current_theme.dark)
        width = max(len(left) for left, _ in self._rows)
        out = Text()
        for left, right in self._rows:
            out.append(f"{left:<{width}}   ", look.text)
            out.append(f"{right}\n", look.formula)
        out.append(f"\n{self._signs}", look.muted)
        return out
