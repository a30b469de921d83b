"""The watches: expressions evaluated again at every step."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.message import Message

from .lines import LinePane


@dataclass(frozen=True)
class Watch:
    """An expression and what it comes to at the cursor."""

    source: str
    result: str
    failed: bool = False


class WatchPane(LinePane):
    """One line a watch; out of sight while there is none."""

    BORDER_TITLE = "watches"
    HELP = "Expressions pinned with W after : — they are worked out again at every step."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("D,delete", "remove", "remove watch", id="watches.remove"),
    ]

    class Removed(Message):
        """The watch with this number is to go."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._watches: Sequence[Watch] = ()
        self._selected = 0

    def show(self, watches: Sequence[Watch]) -> None:
        """Show these."""
        count, self._watches = len(self._watches), tuple(watches)
        self._selected = max(0, min(self._selected, len(watches) - 1))
        if count != len(watches):
            self.display = bool(watches)
            self.styles.height = min(len(watches), 8) + 2
            self.forget()
        self.repaint()

    def line_count(self) -> int:
        return len(self._watches)

    def line_key(self, line: int) -> Hashable:
        return line, self._watches[line], line == self._selected and self.has_focus

    def line_text(self, line: int, width: int) -> Text:
        watch, look = self._watches[line], self.palette
        out = Text()
        out.append(f"{watch.source} ", f"bold {look.text}")
        out.append(watch.result, look.bad if watch.failed else look.formula)
        if line == self._selected and self.has_focus:
            out.pad_right(max(0, width - out.cell_len))
            out.stylize(f"underline on {look.raised}")
        return out

    def on_focus(self) -> None:
        self.repaint()

    def on_blur(self) -> None:
        self.repaint()

    def action_line_up(self) -> None:
        self._selected = max(0, self._selected - 1)
        self.repaint()

    def action_line_down(self) -> None:
        self._selected = max(0, min(len(self._watches) - 1, self._selected + 1))
        self.repaint()

    def action_remove(self) -> None:
        """Take the selected watch off the list."""
        if self._watches:
            self.post_message(self.Removed(self._selected))
