"""Moving through a session: every key that goes somewhere, and the worker that computes the way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.worker import get_current_worker

from . import cursor
from .cursor import Place
from .frame import Frame
from .panes.status import StatusLine
from .panes.steps import StepsPane

if TYPE_CHECKING:
    from ..steps import Step, Trace

LINE = Binding.Group("line")
OP = Binding.Group("op")
LAYER = Binding.Group("layer")
ITERATION = Binding.Group("iteration")
EDGE = Binding.Group("edge")

REPORT_EVERY = 0.05
"""Seconds between two reports of a long journey."""
HISTORY = 200


def pair(
    key: str, action: str, words: str, id: str, group: Binding.Group, *, show: bool = True
) -> Binding:
    """A binding that shares its word in the footer with its opposite."""
    return Binding(key, action, words, show=show, id=id, group=group)


class Travel(Frame):
    """Steps, jumps and iterations."""

    HELP_CHAPTER = (1, "Moving")
    BINDINGS: ClassVar[list[BindingType]] = [
        pair("s", "line(1)", "one line on", "step.forward", LINE),
        pair("S", "line(-1)", "one line back", "step.back", LINE),
        pair("n", "run('op_of', 1)", "next op", "op.next", OP),
        pair("N", "run('op_of', -1)", "previous op", "op.previous", OP),
        pair("right_square_bracket", "run('layer_of', 1)", "next layer", "layer.next", LAYER),
        pair(
            "left_square_bracket", "run('layer_of', -1)", "previous layer", "layer.previous", LAYER
        ),
        pair("right_curly_bracket", "iteration(1)", "next iteration", "iteration.next", ITERATION),
        pair(
            "left_curly_bracket",
            "iteration(-1)",
            "previous iteration",
            "iteration.previous",
            ITERATION,
        ),
        Binding("f", "phase_end", "phase", tooltip="to the end of this phase", id="phase.end"),
        Binding(
            "x",
            "fault",
            "first fault",
            show=False,
            id="fault.first",
            tooltip="to the first op at fault",
        ),
        Binding(
            "g",
            "go_to",
            "go to",
            id="go.anywhere",
            tooltip="go to a layer, op, tensor or iteration by name",
        ),
        Binding(
            "u,ctrl+o",
            "back",
            "back",
            show=False,
            id="go.back",
            tooltip="back to where the last jump began",
        ),
        pair("home", "edge(0)", "first step", "step.first", EDGE, show=False),
        pair("end", "edge(-1)", "last step", "step.last", EDGE, show=False),
        Binding(
            "escape",
            "interrupt",
            "stop",
            show=False,
            id="travel.interrupt",
            tooltip="stop a long run, leave the zoom",
        ),
    ]

    def __init__(self, title: str, intro: str = "") -> None:
        super().__init__(title, intro)
        self._past: list[Place] = []
        self._target: Place | None = None
        self._stop = threading.Event()

    @property
    def place(self) -> Place:
        """Where we are; where we are going to, while on the way."""
        if self._target is not None:
            return self._target
        return Place(self.trace.iteration if self.trace else 1, self.cursor)

    # Going there.

    def go(self, place: Place, *, jump: bool = True) -> None:
        """Go to a place, at once if its iteration is here, else by a worker."""
        if self.session is None or self.trace is None:
            return
        if not 1 <= place.iteration <= self.session.iterations:
            end = "first" if place.iteration < 1 else "last"
            self.notify(f"this is the {end} iteration", timeout=2)
            return
        if jump:
            self._past = [*self._past[-HISTORY:], Place(self.trace.iteration, self.cursor)]
        if place.iteration == self.trace.iteration and self._target is None:
            self.show(self.trace, place.step)
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
            stopped = reached != target.iteration
            if call(self._arrive, trace, Place(reached, 0) if stopped else target, target):
                return  # from here on, whoever sets a target starts a worker of its own

    def _arrive(self, trace: Trace, place: Place, asked: Place) -> bool:
        """Show what was computed, unless another place has been asked for in the meantime."""
        if self._target != asked:
            return False
        self._target = None
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

    def action_interrupt(self) -> None:
        """Stop a long journey where it is; else leave the zoom."""
        if self._target is not None:
            self._stop.set()
        elif self.has_class("-zoomed"):
            self.action_zoom()

    # The keys.

    def _move(self, step: int | None, direction: int, *, jump: bool = False) -> None:
        """Go to a step of this iteration, or where there is none, over its edge."""
        here = self.place
        if self._target is not None:
            return
        if step is not None:
            self.go(Place(here.iteration, step), jump=jump)
        elif direction > 0:
            self.go(Place(here.iteration + 1, 0), jump=jump)
        else:
            self.go(Place(here.iteration - 1, -1), jump=jump)

    def action_line(self, direction: int) -> None:
        """One line on or back."""
        if self.trace is not None:
            step = self.cursor + direction
            self._move(step if 0 <= step < len(self.trace.steps) else None, direction)

    def action_run(self, kind: str, direction: int) -> None:
        """To the next or previous op or layer."""
        if self.trace is not None:
            of: Callable[[Step], object] = getattr(cursor, kind)
            find = cursor.after if direction > 0 else cursor.before
            self._move(find(self.trace, self.cursor, of), direction)

    def action_phase_end(self) -> None:
        """To the end of this phase: forward, loss, backward, update."""
        if self.trace is not None:
            self._move(cursor.phase_end(self.trace, self.cursor), 1)

    def action_iteration(self, direction: int) -> None:
        """The same step of the next or previous iteration."""
        here = self.place
        self.go(Place(here.iteration + direction, self.cursor), jump=False)

    def action_edge(self, step: int) -> None:
        """The first or last step of this iteration."""
        self.go(Place(self.place.iteration, step))

    def action_back(self) -> None:
        """Back to where the last jump began."""
        if self._past:
            self.go(self._past.pop(), jump=False)
        else:
            self.notify("no jump to take back", timeout=2)

    def action_fault(self) -> None:
        """To the first op at fault in this iteration."""
        if self.trace is None:
            return
        if (fault := cursor.first_fault(self.trace)) is None:
            self.notify(f"no fault in iteration {self.trace.iteration}", timeout=3)
            return
        step, what = fault
        self.go(Place(self.trace.iteration, step))
        self.notify(what, severity="warning", timeout=4)

    @on(StepsPane.Chosen)
    def _step_chosen(self, message: StepsPane.Chosen) -> None:
        self.go(Place(self.place.iteration, message.step))

    def action_go_to(self) -> None:
        """Ask for a name, go there."""
        from .dialogs.goto import GoTo

        if self.trace is not None and self.session is not None:
            self.app.push_screen(GoTo(self.trace, self.session.iterations), self._gone_to)

    def _gone_to(self, target: Place | str | None) -> None:
        """Go to a place, or show a value by its row's key."""
        if isinstance(target, Place):
            self.go(target)
        elif target is not None:
            assert self.trace is not None
            given = next(g for g in self.trace.given if f"given:{g.name}" == target)
            self.inspect(given.label, given.value)
