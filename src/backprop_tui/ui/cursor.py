"""Where to go from here: pure arithmetic over a trace, no screen.

Every function answers an index into ``trace.steps``, or None where the
trace ends and the iteration before or after begins. None of them looks through
the trace: they ask where its runs begin, which is worked out once.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .once import once

if TYPE_CHECKING:
    from ..steps import Step, Trace

    Kind = Callable[[Step], object]


@dataclass(frozen=True)
class Place:
    """A moment of the training: an iteration (1-based) and a step of it (-1 for its last).

    `inside` is the step whose op was stepped into; `step` is then one of that op's own lines.
    """

    iteration: int
    step: int
    inside: int | None = None


def op_of(step: Step) -> object:
    """What ``n`` moves by."""
    return step.group


def layer_of(step: Step) -> object:
    """What ``]`` moves by: a module, visited in one phase."""
    return step.phase, step.layer


def phase_of(step: Step) -> object:
    """What ``f`` moves by."""
    return step.phase


def _starts(trace: Trace, kind: Kind) -> list[int]:
    """The first step of every run of steps that are of one `kind`: an op's are never parted."""
    found, last = [], object()
    for group in trace.groups:
        if group.steps and (now := kind(trace.steps[group.steps[0]])) != last:
            found.append(group.steps[0])
            last = now
    return found


ops = once(lambda trace: _starts(trace, op_of))
layers = once(lambda trace: _starts(trace, layer_of))
phases = once(lambda trace: _starts(trace, phase_of))
RUNS: dict[Kind, Callable[[Trace], list[int]]] = {
    op_of: ops,
    layer_of: layers,
    phase_of: phases,
}


def after(trace: Trace, at: int, kind: Kind) -> int | None:
    """The first step of the next run."""
    starts = RUNS[kind](trace)
    number = bisect_right(starts, at)
    return starts[number] if number < len(starts) else None


def before(trace: Trace, at: int, kind: Kind) -> int | None:
    """The first step of this run, or of the one before if it is there already."""
    starts = RUNS[kind](trace)
    number = bisect_left(starts, at) - 1
    return starts[number] if number >= 0 else None


def step_of_call(trace: Trace, call: int | None) -> int | None:
    """The first step of an op, by its number on the tape; on the way back where it is on it."""
    found = [group for group in trace.groups if group.call == call and group.steps]
    return found[-1].steps[0] if call is not None and found else None


def phase_end(trace: Trace, at: int) -> int | None:
    """The last step of this phase, or of the next one if it is there already."""
    ends = [start - 1 for start in phases(trace)[1:]] + [len(trace.steps) - 1]
    return next((end for end in ends if end > at), None)


def phase_progress(trace: Trace, at: int) -> tuple[str, int, int]:
    """The phase at a step, how many steps of it are done, and how many it has."""
    bounds = [*phases(trace), len(trace.steps)]
    number = bisect_right(bounds, at) - 1
    start, end = bounds[number : number + 2]
    return trace.steps[at].phase, at - start + 1, end - start


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
