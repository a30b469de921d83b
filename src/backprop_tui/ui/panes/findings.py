"""The findings: what is wrong with the training, and where."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.message import Message

from .listing import Listing

if TYPE_CHECKING:
    from ...finding import Finding


class FindingsPane(Listing["Finding"]):
    """One line a finding; out of sight while there is none."""

    MOST_LINES = 6
    BORDER_TITLE = "7 findings"
    HELP = (
        "What is wrong with the training: ✗ an error, ! a warning, · a note. Enter goes to the op "
        "and tells why, and how to mend it."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "choose", "go to its op", id="findings.choose"),
    ]

    class Chosen(Message):
        """This finding is to be shown."""

        def __init__(self, finding: Finding) -> None:
            super().__init__()
            self.finding = finding

    def item_text(self, item: Finding) -> Text:
        look = self.palette
        style = {"error": look.bad, "warning": look.accent}.get(item.severity, look.muted)
        out = Text(f"{item.severity.glyph} {item.kind} ", f"bold {style}")
        if item.source is not None:
            out.append(f"{PurePath(item.source.file).name}:{item.source.line}", look.muted)
        return out

    def action_choose(self) -> None:
        """Show the selected finding, and go to its op."""
        if self.items:
            self.post_message(self.Chosen(self.items[self.selected]))
