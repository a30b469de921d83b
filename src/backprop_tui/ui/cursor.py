"""Where to go from here: pure arithmetic over a trace, no screen.

Every function answers an index into ``trace.steps``, or None where the
trace ends and the iteration before or after begins.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from .render import nonfinite

if TYPE_CHECKING:
    from ..compare import Comparison, Verdict
    from ..steps import Step, Trace

PHASES = ("forward", "loss", "backward", "update")


@dataclass(frozen=True)
class Place:
    """A moment of the training: an iteration (1-based) and a step of it (-1 for its last)."""

    iteration: int
    step: int


def starts(trace: Trace, kind: Callable[[Step], object]) -> list[int]:
    """The first step of every run of steps that are of one `kind`."""
    steps = trace.steps
    return [0][: len(steps)] + [b.index for a, b in pairwise(steps) if kind(a) != kind(b)]


def op_of(step: Step) -> object:
    """What ``n`` moves by."""
    return step.group


def layer_of(step: Step) -> object:
    """What ``]`` moves by: a module, visited in one phase."""
    return step.phase, step.layer


def phase_of(step: Step) -> object:
    """What ``f`` moves by."""
    return step.phase


def after(trace: Trace, at: int, kind: Callable[[Step], object]) -> int | None:
    """The first step of the next run."""
    return next((i for i in starts(trace, kind) if i > at), None)


def before(trace: Trace, at: int, kind: Callable[[Step], object]) -> int | None:
    """The first step of this run, or of the one before if it is there already."""
    return next((i for i in reversed(starts(trace, kind)) if i < at), None)


def phase_end(trace: Trace, at: int) -> int | None:
    """The last step of this phase, or of the next one if it is there already."""
    ends = [i - 1 for i in starts(trace, phase_of)[1:]] + [len(trace.steps) - 1]
    return next((i for i in ends if i > at), None)


def phase_progress(trace: Trace, at: int) -> tuple[str, int, int]:
    """The phase at a step, how many steps of it are done, and how many it has."""
    phase = trace.steps[at].phase
    members = [s.index for s in trace.steps if s.phase == phase]
    return phase, sum(i <= at for i in members), len(members)


def first_fault(trace: Trace) -> tuple[int, str] | None:
    """The first step that is different from its twin or not finite, and what is wrong there."""
    return next(iter(faults(trace)), None)


def faults(trace: Trace) -> list[tuple[int, str]]:
    """Every step at fault, in order. A given tensor that is not finite counts at step 0."""
    found = [
        (0, f"{kind} in {given.label}") for given in trace.given if (kind := nonfinite(given.value))
    ]
    different = {
        g.steps[-1]: f"{g.title} differs from autograd"
        for g in trace.groups
        if g.steps and g.isolated is not None and _is_different(g.isolated)
    }
    for step in trace.steps:
        if kind := nonfinite(step.value):
            found.append((step.index, f"{kind} in {step.label}"))
        if step.twin is not None and _is_different(step.twin.comparison):
            found.append((step.index, f"{step.label} ≠ {step.twin.label}"))
        elif step.index in different:
            found.append((step.index, different[step.index]))
    return found


def _is_different(comparison: Comparison) -> bool:
    return comparison.verdict.value == "different"


def tally(trace: Trace, at: int) -> dict[Verdict, int]:
    """How often each verdict was given among the twins computed so far."""
    return dict(Counter(s.twin.comparison.verdict for s in trace.steps[: at + 1] if s.twin))


SEVERITY = ("exact", "rounding", "unchecked", "unverified", "amber", "different")


def severity(verdict: Verdict) -> int:
    """How bad a verdict is: the worst is the one to show where there is room for one."""
    return SEVERITY.index(verdict.value)


def next_stop(
    trace: Trace,
    at: int,
    direction: int,
    groups: Collection[int],
    holds: Callable[[int], bool],
) -> int | None:
    """The nearest step after (or before) `at` that a breakpoint stops at.

    `groups` are the ops with a breakpoint, stopped at on their first step;
    `holds(step)` answers whether a condition has just come true there.
    """
    firsts = {g.steps[0] for g in trace.groups if g.index in groups and g.steps}
    ahead = range(at + 1, len(trace.steps)) if direction > 0 else range(at - 1, -1, -1)
    return next((i for i in ahead if i in firsts or holds(i)), None)


def operands(trace: Trace, at: int) -> frozenset[str]:
    """The rows (see `rows.Row.key`) of the values that the line at `at` reads.

    A name that was bound twice means its last binding before the line.
    """
    step = trace.steps[at]
    reads = {step.names.get(name, name) for name in step.line.reads} if step.line else set()
    found = set()
    for earlier in reversed(trace.steps[:at]):
        if earlier.name in reads:
            reads.discard(earlier.name)
            found.add(f"step:{earlier.index}")
        if earlier.twin is not None and earlier.twin.label in reads:
            reads.discard(earlier.twin.label)
            found.add(f"twin:{earlier.index}")
    return frozenset(found | {f"given:{g.name}" for g in trace.given if g.name in reads})
