"""Running to a breakpoint, on and back, through as many iterations as it takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.binding import Binding, BindingType

from ..errors import UserError
from . import cursor
from .breakpoints import Breakpoints
from .cursor import Place
from .moves import Moves, pair
from .panes.status import StatusLine
from .panes.steps import StepsPane
from .travel import HISTORY

if TYPE_CHECKING:
    from ..steps import Trace

CONTINUE = Binding.Group("continue")


class Seek(Moves):
    """Breakpoints, and the search for the next one."""

    HELP_CHAPTER = (1, "Moving")
    BINDINGS: ClassVar[list[BindingType]] = [
        pair("c", "continue(1)", "on to a breakpoint", "continue.forward", CONTINUE),
        pair("C", "continue(-1)", "back to a breakpoint", "continue.back", CONTINUE),
        Binding(
            "b",
            "breakpoint",
            "breakpoint",
            show=False,
            id="breakpoint.edit",
            tooltip="breakpoint on this op or on a condition",
        ),
    ]

    def __init__(self, title: str, intro: str = "") -> None:
        super().__init__(title, intro)
        self.breakpoints = Breakpoints()

    async def action_breakpoint(self) -> None:
        """Set, see and remove breakpoints."""
        from .dialogs.breakpoints import BreakpointDialog

        if self.trace is not None:
            trace, at = self.outside()
            group = trace.groups[trace.steps[at].group]
            dialog = BreakpointDialog(self.breakpoints, group.index, trace)
            await self.app.push_screen(dialog, self._breakpoints_changed)

    def _breakpoints_changed(self, _result: None) -> None:
        if self.trace is not None:
            marked = self.breakpoints.stopping(self.trace) if self.inside is None else set()
            self.query_one(StepsPane).mark(marked)

    def show(self, trace: Trace, step: int) -> None:
        super().show(trace, step)
        self._breakpoints_changed(None)

    def action_continue(self, direction: int) -> None:
        """On or back to the nearest breakpoint."""
        if self.trace is None or self._target is not None:
            return
        if not self.breakpoints:
            self.notify("no breakpoint: b sets one", timeout=3)
            return
        self._past = [*self._past[-HISTORY:], self.place]
        trace, at = self.outside()
        self._target = Place(trace.iteration, at)
        self._stop.clear()
        self._seek(trace, at, direction)

    @work(thread=True, group="travel", description="seek")
    def _seek(self, trace: Trace, at: int, direction: int) -> None:
        """Look through the iterations for a breakpoint."""
        assert self.session is not None
        edge = self.session.iterations if direction > 0 else 1
        report = self._reporter("looking for a breakpoint", edge)
        try:
            while (stop := self._stop_in(trace, at, direction)) is None:
                iteration = self._skip(trace.iteration + direction, direction, report)
                if not 1 <= iteration <= self.session.iterations:
                    break
                trace = self.session.trace(iteration)
                at = -1 if direction > 0 else len(trace.steps)
                if not report(iteration):
                    break
        except UserError as error:
            self.app.call_from_thread(self._seek_failed, trace, at, error)
            return
        end = -1 if direction > 0 else 0
        self.app.call_from_thread(self._sought, trace, end if stop is None else stop, stop is None)

    def _stop_in(self, trace: Trace, at: int, direction: int) -> int | None:
        points, groups = self.breakpoints, self.breakpoints.stopping(trace)
        return cursor.next_stop(
            trace, at, direction, groups, lambda step: points.becomes_true(trace, step)
        )

    def _skip(self, iteration: int, direction: int, report: Callable[[int], bool]) -> int:
        """The next iteration worth looking into: where losses tell, the others are only trained."""
        assert self.session is not None
        if direction < 0 or not self.breakpoints.only_loss:
            return iteration
        while iteration < self.session.iterations:
            self.session.run_to(iteration + 1, report)
            names = {"loss": self.session.losses[iteration], "iteration": iteration}
            if self._stop.is_set() or any(c.holds(names) for c in self.breakpoints.conditions):
                break
            iteration += 1
        return iteration

    def _sought(self, trace: Trace, step: int, nothing: bool) -> None:
        self._target = self.inside = None
        self.show(trace, step)
        self.query_one(StatusLine).show(self._status)
        if nothing:
            stopped = "stopped" if self._stop.is_set() else "no breakpoint was hit"
            self.notify(f"{stopped}: iteration {trace.iteration}", timeout=3)

    def _seek_failed(self, trace: Trace, at: int, error: UserError) -> None:
        self._sought(trace, max(0, at), nothing=False)
        self.show_text("a breakpoint's condition failed", str(error))
