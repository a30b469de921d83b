"""The input line of ``/``: what is typed is found in the steps while it is typed."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Label


class FilterInput(Input):
    """A few words."""

    HELP = (
        "Words that a step must have, all of them, in its formula, op or module; a verdict "
        "(exact, rounding, unchecked, unverified, amber, different) finds what it was given to, "
        "and nan, inf or zero the values that are that: `relu zero`, `h.3 different`."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "hit(-1)", "previous", id="filter.previous"),
        Binding("down", "hit(1)", "next", id="filter.next"),
        Binding("escape", "clear", "clear", id="filter.clear"),
    ]

    def __init__(self) -> None:
        super().__init__(
            placeholder="relu, fc1.weight, different, nan, zero, …",
            compact=True,
            select_on_focus=False,
        )

    def action_hit(self, direction: int) -> None:
        self.post_message(FilterBar.Hit(direction))

    def action_clear(self) -> None:
        self.value = ""
        self.post_message(FilterBar.Closed(go=False))


class FilterBar(Horizontal):
    """The line over the footer."""

    DEFAULT_CSS = """
    FilterBar { dock: bottom; height: 1; display: none; background: $raised; }
    FilterBar.-open { display: block; }
    FilterBar Label { color: $accent; text-style: bold; padding: 0 1; }
    FilterBar Input { width: 1fr; background: $raised; }
    """

    class Changed(Message):
        """Other words."""

        def __init__(self, query: str) -> None:
            super().__init__()
            self.query = query

    class Hit(Message):
        """On to the next (or previous) step that was found."""

        def __init__(self, direction: int) -> None:
            super().__init__()
            self.direction = direction

    class Closed(Message):
        """The line is to close; `go` to what is selected, which stays with all that was found."""

        def __init__(self, go: bool) -> None:
            super().__init__()
            self.go = go

    def compose(self) -> ComposeResult:
        yield Label("/")
        yield FilterInput()
        yield Label(id="found")

    def open(self) -> None:
        """Show the line and take the focus."""
        self.add_class("-open")
        # Both at once: what is typed ahead is its own, and takes the place of the words before.
        field = self.query_one(FilterInput)
        field.select_all()
        self.screen.set_focus(field)

    def close(self) -> None:
        """Hide the line."""
        self.remove_class("-open")

    def clear(self) -> None:
        """Look for nothing."""
        self.query_one(FilterInput).value = ""

    def tell(self, found: str) -> None:
        """Say how much was found."""
        self.query_one("#found", Label).update(found)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Changed(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Closed(go=True))
