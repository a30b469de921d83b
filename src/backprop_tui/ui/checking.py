"""The check of what is on the screen: it runs beside it, can be stopped, and goes on."""

from __future__ import annotations

import gc
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.binding import Binding, BindingType
from textual.worker import get_current_worker

from .panes.status import StatusLine
from .seek import Seek
from .travel import REPORT_EVERY, look_through, prepare

if TYPE_CHECKING:
    from ..steps import Trace


class Checking(Seek):
    """Derives and judges the way back of a tape; a lesson's is there from the beginning."""

    HELP_CHAPTER = (1, "Moving")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "J",
            "judge",
            "check on",
            show=False,
            id="check.continue",
            tooltip="go on with a check that was stopped",
        ),
    ]

    def __init__(self, title: str, intro: str = "") -> None:
        super().__init__(title, intro)
        self._judging = 0  # the iteration that is being judged; 0 for none
        self._judged = 0.0  # how much of it is, 0 to 1
        self._leave = threading.Event()
        self._left: set[int] = set()  # the iterations whose check was stopped

    def show(self, trace: Trace, step: int) -> None:
        super().show(trace, step)
        if trace.pending and trace.iteration not in self._left:
            self._start_judging(trace)

    def action_judge(self) -> None:
        """Go on with the check of this iteration."""
        if self.trace is not None:
            trace, _ = self.outside()
            if trace.pending:
                self._left.discard(trace.iteration)
                self._start_judging(trace)
            else:
                self.notify("all of it is checked", timeout=2)

    def interrupt(self) -> bool:
        if super().interrupt():
            return True
        if self._judging:
            self._left.add(self._judging)
            self._leave.set()
        return bool(self._judging)

    def _start_judging(self, trace: Trace) -> None:
        if not self._judging:
            self._judging = trace.iteration
            self._leave.clear()
            self._judge(trace.iteration)

    @work(thread=True, group="judge")
    def _judge(self, iteration: int) -> None:
        assert self.session is not None
        worker, last = get_current_worker(), 0.0

        def report(done: int, total: int) -> bool:
            nonlocal last
            if time.monotonic() - last > REPORT_EVERY:
                last = time.monotonic()
                self.app.call_from_thread(self._show_progress, done / total)
            return not self._leave.is_set() and not worker.is_cancelled

        self._looked.wait()
        gc.disable()  # it would look through all that grows here, again and again
        try:
            trace = self.session.judge(iteration, report)
            if not worker.is_cancelled:
                prepare(trace)
                look_through(trace, lambda: not worker.is_cancelled and not self._leave.is_set())
        finally:
            gc.freeze()
            gc.enable()
        if not worker.is_cancelled:
            self.app.call_from_thread(self._arrived, trace)

    def _show_progress(self, done: float) -> None:
        self._judged = done
        self._show_status()

    def _arrived(self, trace: Trace) -> None:
        """Show what the check came to, where one is looking at it."""
        self._judging = 0
        if self.trace is None or self._target is not None:
            return
        if self.inside is None and self.trace.iteration == trace.iteration:
            self.show(trace, self.cursor)
        else:
            self._show_status()

    def _show_status(self) -> None:
        super()._show_status()
        trace, _ = self.outside()
        check = ""
        if self._judging == trace.iteration:
            check = f"checking {self._judged:.0%} · esc stops"
        elif trace.pending:
            check = "not all checked · J goes on"
        self._status = replace(self._status, check=check)
        self.query_one(StatusLine).show(self._status)
