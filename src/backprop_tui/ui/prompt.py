"""A line that asks for one thing, says what is wrong with the answer, and goes away."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Static

from .theme import palette_of


class Prompt(Horizontal):
    """Hidden until `ask`; answers with `Answered`, and with `Closed` when it is given up."""

    DEFAULT_CSS = """
    Prompt { height: 1; display: none; }
    Prompt.-open { display: block; }
    Prompt > Static { width: auto; }
    Prompt > Input { width: 1fr; min-width: 8; height: 1; border: none; padding: 0; }
    Prompt > Input:focus { border: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "close", show=False, id="prompt.close"),
    ]

    class Answered(Message):
        """Enter was pressed; `purpose` is what the prompt was opened for."""

        def __init__(self, purpose: str, text: str) -> None:
            self.purpose = purpose
            self.text = text
            super().__init__()

    class Closed(Message):
        """The prompt was left without an answer."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._purpose = ""

    def compose(self) -> ComposeResult:
        yield Static(id="purpose")
        yield Input(compact=True, select_on_focus=False)
        yield Static(id="wrong")

    def ask(self, purpose: str, text: str, example: str) -> None:
        """Open with `text` to start from, and an example for when it is empty."""
        self._purpose = purpose
        palette = palette_of(self.app.theme, self.app.current_theme.dark)
        self.query_one("#purpose", Static).update(Text(f"{purpose} ", palette.accent))
        self.query_one("#wrong", Static).update("")
        field = self.query_one(Input)
        field.value, field.placeholder = text, example
        self.add_class("-open")
        # Both at once: what is typed ahead is its own, and takes the place of the text.
        field.select_all()
        self.screen.set_focus(field)

    def refuse(self, reason: str) -> None:
        """Say beside the answer what is wrong with it."""
        palette = palette_of(self.app.theme, self.app.current_theme.dark)
        self.query_one("#wrong", Static).update(Text(f" ✗ {reason}", palette.bad))

    def close(self) -> None:
        """Hide it."""
        self.remove_class("-open")

    def action_close(self) -> None:
        """Leave without an answer."""
        self.close()
        self.post_message(self.Closed())

    @on(Input.Submitted)
    def _submitted(self, message: Input.Submitted) -> None:
        message.stop()
        self.post_message(self.Answered(self._purpose, message.value))

    @on(Input.Changed)
    def _changed(self, message: Input.Changed) -> None:
        message.stop()
        self.query_one("#wrong", Static).update("")
