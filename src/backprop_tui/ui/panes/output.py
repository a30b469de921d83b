"""What an expression printed or came to, where it is no tensor, and what went wrong with it."""

from __future__ import annotations

from collections.abc import Hashable
from typing import ClassVar

from rich.text import Text
from textual.binding import BindingType

from .lines import LinePane


class Output(LinePane):
    """Plain lines, wrapped to the pane."""

    HELP = "What : came to where that is no tensor. The next step brings the inspector back."
    BINDINGS: ClassVar[list[BindingType]] = []

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._text = ""
        self._failed = False
        self._lines: list[str] = []

    def show(self, text: str, failed: bool) -> None:
        """Show this text from its beginning."""
        self._text, self._failed = text, failed
        self.border_title = "6 error" if failed else "6 result"
        self.scroll_to(y=0, animate=False)
        self.forget()

    def forget(self) -> None:
        width = max(8, self.size.width or 80)
        self._lines = [
            line[at : at + width]
            for line in self._text.expandtabs().splitlines()
            for at in range(0, max(1, len(line)), width)
        ]
        super().forget()

    def on_resize(self) -> None:
        self.forget()

    def line_count(self) -> int:
        return len(self._lines)

    def line_key(self, line: int) -> Hashable:
        return line

    def line_text(self, line: int, width: int) -> Text:
        return Text(self._lines[line], self.palette.bad if self._failed else self.palette.text)
