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

from . import cursor, rows
from .cursor import Place
from .frame import Frame
from .panes.status import StatusLine
from .panes.steps import StepsPane
from .tree import tree

if TYPE_CHECKING:
    from ..steps import Step, Trace

LINE = Binding.Group("line")
OP = Binding.Group("op")
LAYER = Binding.Group("layer")
ITERATION = Binding.Group("iteration")
INSIDE = Binding.Group("into")
EDGE = Binding.Group("edge")

REPORT_EVERY = 0.05
"""Seconds between two reports of a long journey."""
HISTORY = 200


def pair(
    key: str, action: str, words: str, id: str, group: Binding.Group, *, show: bool = True
) -> Binding:
    """A binding that shares its word in the footer with its opposite."""
    return Binding(key, action, words, show=show, id=id, group=group)


def prepare(trace: Trace) -> None:
    """Work out ahead, in a worker, what the panes are going to ask of a trace."""
    for ask in (cursor.index, tree, rows.forward_rows, rows.paired_rows):
        ask(trace)


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
        pair("i", "into", "into the op", "op.into", INSIDE),
        pair("I", "out", "out of it", "op.out", INSIDE),
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
            tooltip="stop a long run, step out of an op, leave the zoom",
        ),
    ]

    def __init__(self, title: str, intro: str = "") -> None:
        super().__init__(title, intro)
        self.inside: int | None = None
        self._past: list[Place] = []
        self._target: Place | None = None
        self._stop = threading.Event()

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

    # Going there.

    def go(self, place: Place, *, jump: bool = True) -> None:
        """Go to a place, at once if its iteration is here, else by a worker."""
        if self.session is None or self.trace is None:
            return
        if not 1 <= place.iteration <= self.session.iterations:
            end = "first" if place.iteration < 1 else "last"
            self.notify(f"this is the {end} iteration", timeout=2)
            return
        here = Place(self.trace.iteration, self.cursor, self.inside)
        if jump:
            self._past = [*self._past[-HISTORY:], here]
        if replace(place, step=here.step) == here and self._target is None:
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

    def action_interrupt(self) -> None:
        """Stop a long journey where it is; else step out of an op; else leave the zoom."""
        if self._target is not None:
            self._stop.set()
        elif self.inside is not None:
            self.action_out()
        elif self.has_class("-zoomed"):
            self.action_zoom()

    # The keys.

    def _move(self, step: int | None, direction: int) -> None:
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

    def action_into(self) -> None:
        """Step into the op of this step: its rule, line by line."""
        if self.trace is None or self._target is not None:
            return
        step = self.trace.steps[self.cursor]
        group = self.trace.groups[step.group]
        if step.line is not None or group.call is None:
            self.notify("these are the lines already", timeout=2)
        elif group.rule is None:
            self.notify(f"{group.op} has no rule to step into", timeout=3)
        else:
            self._enter(self.trace, self.cursor)

    @work(thread=True, group="into", exclusive=True)
    def _enter(self, trace: Trace, at: int) -> None:
        assert self.session is not None
        step = trace.steps[at]
        busy = f"stepping into {trace.groups[step.group].op}…"
        self.app.call_from_thread(self._show_busy, busy, 0.0)
        inside = self.session.into(trace, step.group)
        assert inside is not None
        begin = inside.autograd_at if step.phase == "backward" else 0
        self.app.call_from_thread(self.go, Place(trace.iteration, begin, at))

    def action_out(self) -> None:
        """Back out of the op that was stepped into."""
        if self.inside is not None:
            self.go(Place(self.place.iteration, self.inside))

    def action_phase_end(self) -> None:
        """To the end of this phase: forward, loss, backward, update."""
        if self.trace is not None:
            self._move(cursor.phase_end(self.trace, self.cursor), 1)

    def action_iteration(self, direction: int) -> None:
        """The same step of the next or previous iteration."""
        here = self.place
        step = self.cursor if here.inside is None else here.inside
        self.go(Place(here.iteration + direction, step), jump=False)

    def action_edge(self, step: int) -> None:
        """The first or last step of this iteration."""
        self.go(replace(self.place, step=step))

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
            so_far = " as far as it is checked" if self.trace.pending else ""
            self.notify(f"no fault in iteration {self.trace.iteration}{so_far}", timeout=3)
            return
        step, what = fault
        self.go(replace(self.place, step=step))
        self.notify(what, severity="warning", timeout=4)

    @on(StepsPane.Chosen)
    def _step_chosen(self, message: StepsPane.Chosen) -> None:
        self.go(replace(self.place, step=message.step))

    def action_go_to(self) -> None:
        """Ask for a name, go there."""
        from .dialogs.goto import GoTo

        if self.trace is not None and self.session is not None:
            self.app.push_screen(
                GoTo(self.trace, self.place, self.session.iterations), self._gone_to
            )

    def _gone_to(self, target: Place | str | None) -> None:
        """Go to a place, or show a value by its row's key."""
        if isinstance(target, Place):
            self.go(target)
        elif target is not None:
            assert self.trace is not None
            given = next(g for g in self.trace.given if f"given:{g.name}" == target)
            self.inspect(given.label, given.value)
