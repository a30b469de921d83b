"""A program that runs under the debugger: it stops, shows itself, and goes on."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

from torch import Tensor

from . import private
from .diagnose import Diagnosis
from .finding import Finding
from .judge import Judged, judge
from .stepper import Pace, Stepper
from .stops import Moment, Stops
from .tape import Op, Tape
from .walk import loss_of


class Answer(StrEnum):
    """How the program goes on."""

    NEXT = "next"  # to the next training step
    CONTINUE = "continue"  # to the next reason to stop
    FINISH = "finish"  # to its end, unwatched
    END = "end"  # not at all


class Ended(SystemExit):
    """The user ended the program."""


@dataclass(frozen=True)
class Stop:
    """A program that stands still.

    Attributes:
        why: what made it stop, in words.
        examine: what is wrong with the training so far, told the passes of this step by hand.
        op: the op that it is about, if it is about one.
        partial: whether the step has not come to its end.
        error: the exception that ended the program.
    """

    number: int
    tape: Tape
    why: str
    losses: dict[int, float]
    examine: Callable[[Sequence[Judged]], Sequence[Finding]]
    op: Op | None = None
    partial: bool = False
    error: BaseException | None = None


Show = Callable[[Stop], Answer]


@dataclass
class Running:
    """Watches a program and stops it where `stops` says.

    Args:
        show: shows a stop to the user, and answers how to go on.
        at_backward: stop right after ``backward()``, not after the update.
        on_step: told of every step that is over.
        options: of the `Stepper`.
    """

    show: Show
    stops: Stops = field(default_factory=Stops)
    at_backward: bool = False
    on_step: Callable[[int, float | None], None] = lambda number, loss: None
    options: dict[str, Any] = field(default_factory=dict)

    current: ClassVar[Running | None] = None

    def __post_init__(self) -> None:
        given = self.stops.step or self.stops.every or self.stops.looking
        self._answer = Answer.CONTINUE if given else Answer.NEXT
        self._stopped_at = 0
        self.losses: dict[int, float] = {}
        self._diagnosis = Diagnosis()
        self.pace = Pace(self._wanted, self._ended, self._differentiated, **self.options)

    def start(self) -> Running:
        """Watch from here on."""
        if Running.current is not self:
            self.pace.__enter__()
            Running.current = self
        return self

    def __enter__(self) -> Running:
        return self.start()

    def __exit__(self, kind: object, *error: Any) -> None:
        if kind is None:
            self.finish()
        self.close()

    def close(self) -> None:
        """Watch no longer."""
        if Running.current is self:
            Running.current = None
            self.pace.__exit__(None, None, None)

    def finish(self) -> None:
        """The program has come to its end."""
        self.pace.finish()

    def fail(self, error: BaseException) -> bool:
        """Show a program that raised, from the step that it raised in; False if that was not
        recorded."""
        stepper = self.pace.stepper
        if stepper is None:
            return False
        tape = stepper.so_far()
        if not tape.ops:
            return False
        why = f"{type(error).__name__}: {error}"
        self._show(self._stop(max(1, self.pace.number), tape, why, partial=True, error=error))
        return True

    def explain(self, error: BaseException) -> Sequence[Finding]:
        """What is known of an exception that there is no tape of: it came before any op."""
        stepper = self.pace.stepper
        if stepper is None:
            return ()
        return self._diagnosis.examine(stepper.so_far(), max(1, self.pace.number), error)

    def stop_here(self, why: str, loss: Tensor | None = None) -> bool:
        """Show the step under way as it is so far, as if `loss` were differentiated here.

        False if the step is not recorded.
        """
        stepper = self.pace.stepper
        if stepper is None:
            return False
        with private.apart():
            tape = stepper.so_far() if loss is None else stepper.as_if(loss)
            self._show(self._stop(max(1, self.pace.number), tape, why, partial=True))
        return True

    def _wanted(self, number: int) -> bool:
        """Whether to record a step: what may be stopped at, and after `continue` every one, so
        that an exception finds its tape."""
        if self._answer is Answer.FINISH or not self.stops.within(number):
            return False
        if self._answer is Answer.NEXT or self.stops.looking:
            return True
        by_number = self.stops.step is not None or self.stops.every is not None
        return self.stops.due(number) if by_number else True

    def _differentiated(self, number: int, stepper: Stepper) -> None:
        if self.at_backward and number != self._stopped_at:
            tape = stepper.so_far()
            why, op = self._why(self._moment(number, tape))
            if why:
                self._show(self._stop(number, tape, why, op, partial=True))

    def _ended(self, number: int, tape: Tape) -> None:
        moment = self._moment(number, tape)
        self.on_step(number, self.losses.get(number))
        if number == self._stopped_at:
            return
        why, op = self._why(moment)
        if why:
            self._show(self._stop(number, tape, why, op))

    def _stop(
        self,
        number: int,
        tape: Tape,
        why: str,
        op: Op | None = None,
        partial: bool = False,
        error: BaseException | None = None,
    ) -> Stop:
        def examine(judged: Sequence[Judged]) -> Sequence[Finding]:
            self._diagnosis.examine(tape, number, error, judged)
            return self._diagnosis.findings

        return Stop(number, tape, why, self.losses, examine, op, partial, error)

    def _moment(self, number: int, tape: Tape) -> Moment:
        if tape.backwards:
            self.losses[number] = loss_of(tape, tape.backwards[-1])

        @functools.cache
        def judged() -> Sequence[Judged]:
            return tuple(judge(tape, backward) for backward in tape.backwards)

        @functools.cache
        def findings() -> Sequence[Finding]:
            return self._diagnosis.examine(tape, number, judged=judged())

        return Moment(number, tape, self.losses, judged, findings)

    def _why(self, moment: Moment) -> tuple[str, Op | None]:
        if self._answer is Answer.NEXT:
            return f"step {moment.number}", None
        return self.stops.why(moment)

    def _show(self, stop: Stop) -> None:
        self._stopped_at = stop.number
        self._answer = self.show(stop)
        if self._answer is Answer.END:
            raise Ended(0)
