"""When a running program stops: at a step, at every n-th, at a place, or on a condition."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from .compare import Verdict
from .errors import UserError
from .finding import Finding, Severity
from .judge import Judged
from .spots import Spot
from .tape import Op, Tape
from .variables import tensor_names

WORDS = ("nan", "inf", "different", "finding")
"""Conditions that have a name; any other is an expression."""


@dataclass(frozen=True)
class Moment:
    """A training step that has run, as conditions see it.

    Attributes:
        losses: step -> loss, of the steps so far that were recorded.
        judged: its backward passes by hand, `findings` what is wrong; made when asked for.
    """

    number: int
    tape: Tape
    losses: Mapping[int, float]
    judged: Callable[[], Sequence[Judged]]
    findings: Callable[[], Sequence[Finding]]

    def names(self) -> dict[str, Any]:
        """What an expression can name: loss, step, median, norm, grad, and the screen's names."""
        known = list(self.losses.values())
        return {
            **tensor_names(self.tape),
            "torch": torch,
            "norm": norm,
            "grad": gradients(self.tape),
            "step": self.number,
            "loss": self.losses.get(self.number, float("nan")),
            "median": statistics.median(known) if known else float("nan"),
        }


@dataclass(frozen=True)
class Until:
    """A condition on a training step.

    Raises:
        UserError: when made, if it is neither a word nor an expression; when asked, whatever
            goes wrong in it.
    """

    source: str
    code: Any = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        code = None
        if self.source not in WORDS:
            try:
                code = compile(self.source, "<until>", "eval")
            except (SyntaxError, ValueError) as error:
                words = ", ".join(WORDS)
                raise UserError(
                    f"{self.source!r} is neither one of {words}, nor an expression such as "
                    f"'loss > 2*median': {error}"
                ) from error
        object.__setattr__(self, "code", code)

    def holds(self, moment: Moment) -> str:
        """Why it is true of a step, "" if it is not. A name that is not there makes it false."""
        if self.source in ("nan", "inf"):
            return nonfinite(moment.tape, self.source)
        if self.source == "different":
            wrong = [op for judged in moment.judged() for op in _different(judged)]
            return f"{wrong[0].name} differs from autograd" if wrong else ""
        if self.source == "finding":
            worst = [f for f in moment.findings() if f.severity is not Severity.NOTE]
            return worst[0].message if worst else ""
        try:
            return self.source if eval(self.code, moment.names()) else ""
        except NameError:
            return ""
        except Exception as error:
            raise UserError(f"{self.source}: {type(error).__name__}: {error}") from error


@dataclass
class Stops:
    """All reasons to stop. With none, a program stops at its first step.

    Attributes:
        step, every: a step's number; `first` and `last` bound what is recorded at all.
        until: conditions, and `spots` the places with a breakpoint.
    """

    step: int | None = None
    every: int | None = None
    until: list[Until] = field(default_factory=list)
    spots: list[Spot] = field(default_factory=list)
    first: int = 1
    last: int | None = None

    @property
    def looking(self) -> bool:
        """Whether every step has to be looked at."""
        return bool(self.until or self.spots)

    def due(self, number: int) -> bool:
        """Whether the number alone says to stop."""
        return number == self.step or (self.every is not None and number % self.every == 0)

    def why(self, moment: Moment) -> tuple[str, Op | None]:
        """Why to stop at a step, "" for no reason, and the op to show."""
        for spot in self.spots:
            if (op := _found(spot, moment.tape)) is not None:
                return f"breakpoint {spot.text}", op
        for condition in self.until:
            if reason := condition.holds(moment):
                return reason, None
        return (f"step {moment.number}" if self.due(moment.number) else ""), None

    def within(self, number: int) -> bool:
        """Whether a step may be recorded."""
        return self.first <= number and (self.last is None or number <= self.last)


def _found(spot: Spot, tape: Tape) -> Op | None:
    """The first op of a step that stands at a place."""
    for op in tape.ops:
        source = op.source
        file, line = (source.file, source.line) if source else ("", 0)
        if spot.holds(op.name, op.module, file, line):
            return op
    return None


def norm(tensor: Tensor) -> float:
    """The 2-norm."""
    return float(torch.linalg.vector_norm(tensor))


def gradients(tape: Tape) -> dict[str, Tensor]:
    """Name -> what the step's backward passes gave to a leaf's gradient."""
    found: dict[str, Tensor] = {}
    for backward in tape.backwards:
        for value in tape.values:
            grad = backward.cotangents.get(value.index)
            name = value.called
            if value.leaf and name and grad is not None:
                found[name] = grad if name not in found else found[name] + grad
    return found


def nonfinite(tape: Tape, kind: str) -> str:
    """Where a step first holds a NaN or an infinity, forward then backward; "" for nowhere."""
    test = torch.isnan if kind == "nan" else torch.isinf
    for where, tensor in _computed(tape):
        if (tensor.is_floating_point() or tensor.is_complex()) and bool(test(tensor).any()):
            return f"{kind} in {where}"
    return ""


def _computed(tape: Tape) -> Iterator[tuple[str, Tensor]]:
    for op in tape.ops:
        place = " ".join(filter(None, [op.module, op.name]))
        for output in op.outputs:
            yield place, output
    for backward in tape.backwards:
        for index, cotangent in backward.cotangents.items():
            value = tape.values[index]
            yield f"the gradient of {value.called or 'a value'}", cotangent


def _different(judged: Judged) -> Iterator[Op]:
    return (op for op in judged.ops if judged.isolated[op.index] is Verdict.DIFFERENT)
