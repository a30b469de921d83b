"""Moving through a session: the place one is at, and the way to another, by a worker."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from textual import work
from textual.worker import get_current_worker

from . import kin, rows, standing
from .cursor import Place, layers, ops, phases
from .find import texts
from .frame import Frame
from .goals import goals
from .panes.status import StatusLine
from .tree import tree

if TYPE_CHECKING:
    from ..steps import Trace

PATIENCE = 1.0
"""Seconds at most that what is done ahead waits for the screen to be painted."""
REPORT_EVERY = 0.05
"""Seconds between two reports of a long journey."""
HISTORY = 200


def prepare(trace: Trace) -> None:
    """Work out ahead, in a worker, what the panes are going to ask of a trace."""
    asks: tuple[Callable[[Trace], object], ...] = (
        phases,
        tree,
        rows.forward_rows,
        rows.paired_rows,
        standing.verdicts,
        standing.faults,
        standing.gradient_norms,
    )
    for ask in asks:
        ask(trace)


def look_through(trace: Trace, wanted: Callable[[], bool]) -> bool:
    """Work out, in a worker, what keys are going to ask of a trace; whether it came to the end.

    Args:
        wanted: whether that is still worth while.
    """
    asks: tuple[Callable[[Trace], object], ...] = (ops, layers, kin.bind_all, texts, goals)
    for ask in (*asks, kin.readers):
        if not wanted():
            return False
        ask(trace)
    while wanted():
        if not standing.look_on(trace):
            return True
    return False


class Travel(Frame):
    """Going to a place: a step, perhaps of another iteration, perhaps inside an op."""

    def __init__(self, title: str, intro: str = "") -> None:
        super().__init__(title, intro)
        self.inside: int | None = None
        self._past: list[Place] = []
        self._target: Place | None = None
        self._stop = threading.Event()
        self._painted = threading.Event()
        self._looked = threading.Event()

    @property
    def place(self) -> Place:
        """Where we are; where we are going to, while on the way."""
        if self._target is not None:
            return self._target
        return Place(self.trace.iteration if self.trace else 1, self.cursor, self.inside)

    def outside(self) -> tuple[Trace, int]:
        """The session's own trace, and where we are in it: at an op, when we are inside it."""
        assert self.session is not None and self.trace is not None
        if self.inside is None:
            return self.trace, self.cursor
        return self.session.trace(self.trace.iteration), self.inside

    def show(self, trace: Trace, step: int) -> None:
        before, fresh = self.trace, trace is not self.trace
        super().show(trace, step)
        if fresh and self.inside is None:
            back = before is not None and trace.iteration < before.iteration
            self._painted.clear()
            self._looked.clear()
            self.call_after_refresh(self._painted.set)
            self._look_ahead(trace, trace.iteration + (-1 if back else 1))

    # A worker of arguments says what it does: else Textual spells them out, a whole tape's tensors.

    @work(thread=True, group="ahead", description="look ahead")
    def _look_ahead(self, trace: Trace, iteration: int) -> None:
        """Compute what may be asked for next, while there is nothing else to do.

        It is not exclusive: a thread that is cancelled runs on all the same, and whoever waits
        for the workers is told of a failure.
        """
        assert self.session is not None
        self._painted.wait(PATIENCE)
        try:
            worker = get_current_worker()
            if look_through(trace, lambda: trace is self.trace and not worker.is_cancelled):
                self.app.call_from_thread(self._show_status)  # which may tell of a fault now
        finally:
            self._looked.set()
        if trace is self.trace and (coming := self.session.ahead(iteration)) is not None:
            prepare(coming)

    # Going there.

    def go(self, place: Place, *, jump: bool = True) -> None:
        """Go to a place, at once if its iteration is at hand, else by a worker."""
        if self.session is None or self.trace is None:
            return
        if not self.session.first <= place.iteration <= self.session.iterations:
            end = "first" if place.iteration < self.session.first else "last"
            self.notify(f"this is the {end} iteration", timeout=2)
            return
        here = Place(self.trace.iteration, self.cursor, self.inside)
        if jump:
            self._past = [*self._past[-HISTORY:], here]
        if replace(place, step=here.step) == here and self._target is None:
            self.show(self.trace, place.step)
            return
        kept = self.session.at_hand(place.iteration)
        if kept is not None and self._target is None and place.inside is None:
            self.inside = None
            self.show(kept, place.step)
            return
        on_the_way, self._target = self._target is not None, place
        if not on_the_way:
            self._stop.clear()
            self._fetch()

    @work(thread=True, group="travel")
    def _fetch(self) -> None:
        """Compute the trace of the target, which may move on while we are at it."""
        assert self.session is not None
        call, worker = self.app.call_from_thread, get_current_worker()
        while (target := self._target) is not None and not worker.is_cancelled:
            report = self._reporter(f"training to iteration {target.iteration}", target.iteration)
            reached = self.session.run_to(target.iteration, report)
            trace = self.session.trace(reached)
            place = target if reached == target.iteration else Place(reached, 0)
            if place.inside is not None:
                group = trace.steps[place.inside].group
                trace = self.session.into(trace, group) or trace
            prepare(trace)
            if call(self._arrive, trace, place, target):
                return  # from here on, whoever sets a target starts a worker of its own

    def _arrive(self, trace: Trace, place: Place, asked: Place) -> bool:
        """Show what was computed, unless another place has been asked for in the meantime."""
        if self._target != asked:
            return False
        self._target, self.inside = None, place.inside
        self.query_one(StatusLine).show(self._status)
        self.show(trace, place.step)
        return True

    def _reporter(self, busy: str, target: int) -> Callable[[int], bool]:
        """A progress callback for a worker: it shows a bar, and answers whether to go on."""
        assert self.trace is not None
        start, last = self.trace.iteration, time.monotonic()

        def report(iteration: int) -> bool:
            nonlocal last
            if time.monotonic() - last > REPORT_EVERY:
                last = time.monotonic()
                done = abs(iteration - start) / max(1, abs(target - start))
                self.app.call_from_thread(
                    self._show_busy, f"{busy} · {iteration} · esc stops", done
                )
            return not self._stop.is_set()

        return report

    def _show_busy(self, busy: str, done: float) -> None:
        self.query_one(StatusLine).show(replace(self._status, busy=busy, done=min(1.0, done)))

    def interrupt(self) -> bool:
        """Stop a long journey where it is, or step out of an op; whether there was either."""
        if self._target is not None:
            self._stop.set()
        elif self.inside is not None:
            self.go(Place(self.place.iteration, self.inside))
        else:
            return False
        return True

    def move(self, step: int | None, direction: int) -> None:
        """Go to a step of this trace, or where there is none, over its edge."""
        here = self.place
        if self._target is not None or self.trace is None:
            return
        if step is not None:
            self.go(replace(here, step=step), jump=False)
        elif here.inside is not None:
            self.go(Place(here.iteration, here.inside), jump=False)
        elif direction < 0:
            self.go(Place(here.iteration - 1, -1), jump=False)
        elif self.trace.pending:
            self.notify("the way back is not derived as far as this yet", timeout=3)
        else:
            self.go(Place(here.iteration + 1, 0), jump=False)

    @work(thread=True, group="into", exclusive=True, description="step in")
    def enter(self, trace: Trace, at: int) -> None:
        """Go into the op of a step, to where its rule begins in the same phase."""
        assert self.session is not None
        step = trace.steps[at]
        busy = f"stepping into {trace.groups[step.group].op}…"
        self.app.call_from_thread(self._show_busy, busy, 0.0)
        inside = self.session.into(trace, step.group)
        assert inside is not None
        begin = inside.autograd_at if step.phase == "backward" else 0
        self.app.call_from_thread(self.go, Place(trace.iteration, begin, at))
