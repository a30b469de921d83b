"""How a trace stands, at any step of it: its verdicts and its first fault."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from typing import TYPE_CHECKING

from .once import once

if TYPE_CHECKING:
    from ..compare import Verdict
    from ..steps import Step, Trace

AT_ONCE = 100
"""So many steps are looked at while one waits: their values are read."""


class Verdicts:
    """Where each verdict was given; every list of steps is in order.

    Attributes:
        twins: the steps with a twin, by its verdict.
        all: the same, and the last step of every op by the verdict on the op alone.
    """

    def __init__(self, trace: Trace) -> None:
        self.twins: dict[Verdict, list[int]] = defaultdict(list)
        for step in trace.steps:
            if step.twin is not None:
                self.twins[step.twin.verdict].append(step.index)
        self.all = defaultdict(list, {verdict: [*steps] for verdict, steps in self.twins.items()})
        for group in trace.groups:
            if group.isolated is not None and group.steps:
                self.all[group.isolated.verdict].append(group.steps[-1])
        for steps in self.all.values():
            steps.sort()


verdicts = once(Verdicts)


@once
def gradient_norms(trace: Trace) -> dict[str, float]:
    """Parameter name -> the 2-norm of autograd's gradient."""
    return {item.name: float(item.value.norm()) for item in trace.gradients}


def tally(trace: Trace, at: int) -> dict[Verdict, int]:
    """How often each verdict was given among the twins computed so far, the worst last."""
    counts = {v: bisect_right(steps, at) for v, steps in verdicts(trace).twins.items()}
    return {v: counts[v] for v in sorted(counts, key=_rank) if counts[v]}


def worst(trace: Trace, first: int, last: int) -> Verdict | None:
    """The worst verdict on the steps from `first` to `last` and on the ops that end there."""
    found = verdicts(trace).all
    for verdict in sorted(found, key=_rank, reverse=True):
        number = bisect_left(found[verdict], first)
        if number < len(found[verdict]) and found[verdict][number] <= last:
            return verdict
    return None


def _rank(verdict: Verdict) -> int:
    return verdict.rank


class Faults:
    """The first fault of a trace, looked for no further than one asks: each value is read for it.

    Attributes:
        first: the step, and what is wrong there.
        seen: how many steps were looked at.
    """

    def __init__(self, trace: Trace) -> None:
        sick = (item for item in trace.given if _is_sick(item.health))
        self.first = next(((0, f"{item.health} in {item.label}") for item in sick), None)
        self.seen = 0

    def look(self, trace: Trace, last: int) -> None:
        """Go on looking, up to a step. Two threads may: both see the same."""
        at = self.seen
        while self.first is None and at <= last:
            what = _fault(trace, trace.steps[at])
            if what:
                self.first = at, what
            at += 1
            self.seen = max(self.seen, at)


faults = once(Faults)


def _fault(trace: Trace, step: Step) -> str:
    """What is wrong at a step, "" for nothing."""
    group = trace.groups[step.group]
    alone = group.isolated if group.steps[-1] == step.index else None
    if _is_sick(step.health):
        return f"{step.health} in {step.label}"
    if step.twin is not None and _is_different(step.twin.verdict):
        return f"{step.label} ≠ {step.twin.label}"
    if alone is not None and _is_different(alone.verdict):
        return f"{group.title} differs from autograd"
    return ""


def first_fault(trace: Trace, last: int | None = None) -> tuple[int, str] | None:
    """The first step that is different from its twin or not finite, and what is wrong there.

    A given tensor that is not finite counts at step 0. None too where it comes after `last`.
    """
    last = len(trace.steps) - 1 if last is None else last
    found = faults(trace)
    found.look(trace, last)
    return found.first if found.first is not None and found.first[0] <= last else None


def fault_so_far(trace: Trace, last: int) -> tuple[int, str] | None:
    """The same of what was looked at before and a little more, so that one need not wait."""
    return first_fault(trace, min(last, faults(trace).seen + AT_ONCE))


def look_on(trace: Trace) -> bool:
    """Look at a little more for a fault; whether that is worth going on with."""
    found, last = faults(trace), len(trace.steps) - 1
    found.look(trace, min(last, found.seen + AT_ONCE))
    return found.first is None and found.seen <= last


def _is_sick(health: str) -> bool:
    return health in ("NaN", "inf")


def _is_different(verdict: Verdict) -> bool:
    return verdict.value == "different"
