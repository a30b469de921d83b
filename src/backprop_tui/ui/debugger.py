"""The main screen, put together: help, and the arrival of the session."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.message import Message

from .desk import Desk
from .panes.status import StatusLine
from .panes.steps import StepsPane

if TYPE_CHECKING:
    from ..session import Session
    from ..steps import Trace

FOLDS = 1000
"""So many folds are remembered: more are a large tape's, all folded by one key."""


class Debugger(Desk):
    """What one sees: a training step, its steps, and where we are in it."""

    HELP_CHAPTER = (4, "Program")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "help", "help", id="help.open"),
        Binding("q", "app.quit", "quit", id="app.quit"),
    ]

    class Remember(Message):
        """Something about the view that is worth remembering for the next time."""

        def __init__(self, key: str, value: object) -> None:
            super().__init__()
            self.key = key
            self.value = value

    def waiting(self, what: str) -> None:
        """Say what the first frame is waiting for."""
        self.query_one(StatusLine).show(replace(self._status, busy=what))

    def open(self, session: Session, trace: Trace) -> None:
        """Begin: the session is there, and the first iteration's trace with it."""
        self.session = session
        self.debugged = session.title
        self.show(trace, 0)
        self.warn(trace.warning)

    def warn(self, warning: str) -> None:
        """Say why manual and autograd are to differ, or what is lacking, if anything."""
        if warning:
            self.notify(warning, severity="warning", timeout=15)

    def restore(self, folded: Collection[str], charts: bool) -> None:
        """Take up the view of the last time."""
        self.query_one(StepsPane).folded = set(folded)
        self.set_class(charts, "-charts")

    def action_help(self) -> None:
        """Keys and words, by pane."""
        from .dialogs.help import Help, describe

        self.app.push_screen(Help(describe(self)))

    def action_charts(self) -> None:
        super().action_charts()
        self.post_message(self.Remember("charts", self.has_class("-charts")))

    @on(StepsPane.Folded)
    def _steps_folded(self, message: StepsPane.Folded) -> None:
        if len(message.folded) <= FOLDS:
            self.post_message(self.Remember("folded", list(message.folded)))
