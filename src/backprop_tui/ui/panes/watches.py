"""The watches: expressions evaluated again at every step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.message import Message

from .listing import Listing


@dataclass(frozen=True)
class Watch:
    """An expression and what it comes to at the cursor."""

    source: str
    result: str
    failed: bool = False


class WatchPane(Listing[Watch]):
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

    def item_text(self, item: Watch) -> Text:
        out = Text(f"{item.source} ", f"bold {self.palette.text}")
        return out.append(item.result, self.palette.bad if item.failed else self.palette.formula)

    def action_remove(self) -> None:
        """Take the selected watch off the list."""
        if self.items:
            self.post_message(self.Removed(self.selected))
