"""A program that stands still, on the screen: what there is to see, and how it goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from ..program import told
from .cursor import Place, step_of_call
from .debugger import Debugger
from .moves import pair
from .seek import CONTINUE
from .terminal import outside

if TYPE_CHECKING:
    from ..running import Stop
    from ..session import Session
    from ..steps import Trace
    from .breakpoints import Breakpoints


class Stopped(Debugger):
    """A training step of a running program."""

    HELP_CHAPTER = (0, "The program")
    BINDINGS: ClassVar[list[BindingType]] = [
        pair("c", "continue(1)", "run on to a stop", "continue.forward", CONTINUE),
        Binding("o", "output", "output", tooltip="what the program printed", id="run.output"),
        Binding("q", "leave('finish')", "leave", tooltip="let the program finish", id="app.quit"),
        Binding("Q", "leave('end')", "end it", show=False, tooltip="end it here", id="run.end"),
    ]

    def __init__(
        self, title: str, intro: str, stop: Stop, breakpoints: Breakpoints, watched: list[str]
    ) -> None:
        super().__init__(title, intro)
        self.breakpoints = breakpoints
        self._watched = watched
        self._stop_shown = stop
        self.answer = "finish"

    def open(self, session: Session, trace: Trace) -> None:
        """Begin at what the program stopped for."""
        super().open(session, trace)
        stop = self._stop_shown
        at = step_of_call(trace, stop.op.index) if stop.op is not None else None
        if stop.error is not None:
            self.show(trace, -1)
            self.show_text(type(stop.error).__name__, told(stop.error))
            self._show_tab("inspector")
        elif at is not None:
            self.show(trace, at)
        if stop.error is None and stop.why != f"step {stop.number}":
            self.notify(stop.why, title="stopped", timeout=4)

    def warn(self, warning: str) -> None:
        if not self._stop_shown.partial:  # then it goes without saying
            super().warn(warning)

    def go(self, place: Place, *, jump: bool = True) -> None:
        """Beyond the step that the program stands at, it runs on to the next."""
        if self.session is not None and place.iteration > self.session.iterations:
            self.action_leave("next")
        else:
            super().go(place, jump=jump)

    def action_line(self, direction: int) -> None:
        if self._at_the_end(direction):
            self.notify("the end of the step: } runs to the next one, c to a stop", timeout=3)
        else:
            super().action_line(direction)

    def action_run(self, kind: str, direction: int) -> None:
        before = self.place
        if not self._at_the_end(direction) or self.session is None:
            super().action_run(kind, direction)
        if direction > 0 and self.place == before:
            self.notify("the end of the step: } runs to the next one, c to a stop", timeout=3)

    def action_continue(self, direction: int) -> None:
        """On to a breakpoint in this step, or run the program to its next stop."""
        if self.trace is None:
            return
        trace, at = self.outside()
        if direction > 0 and self._stop_in(trace, at, 1) is None:
            self.action_leave("continue")
        else:
            super().action_continue(direction)

    def action_output(self) -> None:
        """The terminal as the program left it."""
        with outside(self.app):
            input("\n— enter goes back to the debugger ")

    def action_leave(self, how: str) -> None:
        """Give the terminal back, and tell the program how to go on (see `running.Answer`)."""
        if self._stop_shown.error is None or how in ("finish", "end"):
            self.answer = how
            self.app.exit()
        else:
            self.notify("the program has ended: q leaves", timeout=3)

    def _at_the_end(self, direction: int) -> bool:
        trace = self.trace
        return (
            trace is not None
            and direction > 0
            and self.inside is None
            and self.cursor == len(trace.steps) - 1
            and self.session is not None
            and trace.iteration == self.session.iterations
        )
