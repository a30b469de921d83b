"""The tabs that name the panes where there is no room for all of them side by side."""

from __future__ import annotations

from rich.text import Text
from textual import events
from textual.message import Message

from ..painted import TextLine

TABS = (
    ("forward", "2 forward"),
    ("manual", "3 manual"),
    ("autograd", "4 autograd"),
    ("source", "5 source"),
    ("inspector", "6 inspector"),
)


class PaneTabs(TextLine):
    """One line of tabs; a click asks for one."""

    DEFAULT_CSS = "PaneTabs { width: 1fr; }"

    class Chosen(Message):
        """A tab was clicked."""

        def __init__(self, pane: str) -> None:
            super().__init__()
            self.pane = pane

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._active = "forward"

    def show(self, active: str) -> None:
        """Light up one tab."""
        self._active = active
        self.refresh()

    def _labels(self) -> list[tuple[str, str]]:
        """The tabs' texts; where they do not fit, only the active one keeps its name."""
        for short in (False, True):
            labels = [
                (pane, f" {label} " if pane == self._active else label[0] if short else label)
                for pane, label in TABS
            ]
            if sum(len(label) + 1 for _, label in labels) - 1 <= self.size.width:
                break
        return labels

    def render(self) -> Text:
        look, out = self.palette, Text()
        for pane, label in self._labels():
            active = pane == self._active
            if active:
                out.append(label, f"bold {look.on_accent} on {look.accent}")
            else:
                out.append(label[0], f"bold {look.text}")
                out.append(label[1:], look.muted)
            out.append(" ")
        out.right_crop()
        return out

    def on_click(self, event: events.Click) -> None:
        at = 0
        for pane, label in self._labels():
            at += len(label) + 1
            if event.x < at:
                self.post_message(self.Chosen(pane))
                return
