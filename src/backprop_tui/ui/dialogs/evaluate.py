"""The input line of ``:``, with history and completion."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Label

from ..evaluation import complete


class EvaluateInput(Input):
    """One line of Python."""

    HELP = (
        "Any Python over the names on the screen, with torch. A tensor opens in the inspector; "
        "new names stay for the session, and _ is the last result."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "recall(-1)", "earlier", id="evaluate.earlier"),
        Binding("down", "recall(1)", "later", id="evaluate.later"),
        Binding("tab", "complete", "complete", priority=True, id="evaluate.complete"),
        Binding("escape", "close", "close", id="evaluate.close"),
    ]

    def __init__(self) -> None:
        super().__init__(
            placeholder="x4.sum(), a = x1 * 2, pgrad[2] - rex4, …",
            compact=True,
            select_on_focus=False,  # which would come after the first keys that are typed ahead
        )
        self.names: Callable[[], Mapping[str, Any]] = dict
        self.past: list[str] = []
        self._recalled = 0
        self._choices: list[str] = []

    def start(self, names: Callable[[], Mapping[str, Any]]) -> None:
        """Begin a new line; `names` gives the scope for completion."""
        self.names, self.value = names, ""
        self._recalled, self._choices = len(self.past), []
        # At once, where focus() would wait and lose what is typed ahead.
        self.screen.set_focus(self)

    def remember(self, source: str) -> None:
        """Put a line into the history."""
        if not self.past or self.past[-1] != source:
            self.past.append(source)

    def action_recall(self, direction: int) -> None:
        """Earlier or later lines."""
        self._recalled = max(0, min(len(self.past), self._recalled + direction))
        self.value = self.past[self._recalled] if self._recalled < len(self.past) else ""
        self.cursor_position = len(self.value)

    def action_complete(self) -> None:
        """Complete the word, the next possibility at each press."""
        if self.value in self._choices:
            index = (self._choices.index(self.value) + 1) % len(self._choices)
        else:
            self._choices, index = complete(self.value, self.names()), 0
        if self._choices:
            self.value = self._choices[index]
            self.cursor_position = len(self.value)

    def action_close(self) -> None:
        self.post_message(EvaluateBar.Closed())


class EvaluateBar(Horizontal):
    """The line over the footer."""

    DEFAULT_CSS = """
    EvaluateBar { dock: bottom; height: 1; display: none; background: $raised; }
    EvaluateBar.-open { display: block; }
    EvaluateBar Label { color: $accent; text-style: bold; width: 3; padding: 0 1; }
    EvaluateBar Input { width: 1fr; background: $raised; }
    """

    class Submitted(Message):
        """A line of Python to evaluate."""

        def __init__(self, source: str) -> None:
            super().__init__()
            self.source = source

    class Closed(Message):
        """The line is to close."""

    def compose(self) -> ComposeResult:
        yield Label(":")
        yield EvaluateInput()

    def open(self, names: Callable[[], Mapping[str, Any]]) -> None:
        """Show the line and take the focus."""
        self.add_class("-open")
        self.query_one(EvaluateInput).start(names)

    def close(self) -> None:
        """Hide the line."""
        self.remove_class("-open")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        source = event.value.strip()
        if source:
            self.query_one(EvaluateInput).remember(source)
            self.post_message(self.Submitted(source))
        else:
            self.post_message(self.Closed())
