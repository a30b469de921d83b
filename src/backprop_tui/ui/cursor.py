"""Where to go from here: pure arithmetic over a trace, no screen.

Every function answers an index into ``trace.steps``, or None where the
trace ends and the iteration before or after begins. None of them looks through
the trace: they ask its `Index`, which is made once.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .once import once

if TYPE_CHECKING:
    from ..compare import Comparison, Verdict
    from ..steps import Step, Trace

PHASES = ("forward", "loss", "backward", "update")


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


class Index:
    """Where what is in a trace; every list of steps is in order.

    Attributes:
        runs: for each kind of run, the first step of every one.
        twins: the steps with a twin, by its verdict.
        verdicts: the same, and the last step of every op by the verdict on the op alone.
        bindings: name -> the steps that bind it; `labels`: the same for the names of twins.
        readers: name -> the steps that read it.
        given: name -> the row of the tensor that it is from the beginning.
    """

    def __init__(self, trace: Trace) -> None:
        self.runs: dict[Callable[[Step], object], list[int]] = {
            kind: _starts(trace, kind) for kind in (op_of, layer_of, phase_of)
        }
        self.twins: dict[Verdict, list[int]] = defaultdict(list)
        self.verdicts: dict[Verdict, list[int]] = defaultdict(list)
        self.bindings: dict[str, list[int]] = defaultdict(list)
        self.labels: dict[str, list[int]] = defaultdict(list)
        self.readers: dict[str, list[int]] = defaultdict(list)
        self.given = {item.name: f"given:{item.name}" for item in trace.given}
        for step in trace.steps:
            self._add(trace, step)

    def _add(self, trace: Trace, step: Step) -> None:
        at, group = step.index, trace.groups[step.group]
        self.bindings[step.name].append(at)
        for name in step.reads:
            self.readers[name].append(at)
        alone = group.isolated if group.steps[-1] == at else None
        if step.twin is not None:
            self.labels[step.twin.label].append(at)
            self.twins[step.twin.comparison.verdict].append(at)
            self.verdicts[step.twin.comparison.verdict].append(at)
        if alone is not None:
            self.verdicts[alone.verdict].append(at)


index = once(Index)


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
    if step.twin is not None and _is_different(step.twin.comparison):
        return f"{step.label} ≠ {step.twin.label}"
    if alone is not None and _is_different(alone):
        return f"{group.title} differs from autograd"
    return ""


def _starts(trace: Trace, kind: Callable[[Step], object]) -> list[int]:
    """The first step of every run of steps that are of one `kind`."""
    found, last = [], object()
    for step in trace.steps:
        if (now := kind(step)) != last:
            found.append(step.index)
            last = now
    return found


def after(trace: Trace, at: int, kind: Callable[[Step], object]) -> int | None:
    """The first step of the next run."""
    starts = index(trace).runs[kind]
    number = bisect_right(starts, at)
    return starts[number] if number < len(starts) else None


def before(trace: Trace, at: int, kind: Callable[[Step], object]) -> int | None:
    """The first step of this run, or of the one before if it is there already."""
    starts = index(trace).runs[kind]
    number = bisect_left(starts, at) - 1
    return starts[number] if number >= 0 else None


def step_of_call(trace: Trace, call: int | None) -> int | None:
    """The first step of an op, by its number on the tape; on the way back where it is on it."""
    found = [group for group in trace.groups if group.call == call and group.steps]
    return found[-1].steps[0] if call is not None and found else None


def phase_end(trace: Trace, at: int) -> int | None:
    """The last step of this phase, or of the next one if it is there already."""
    ends = [start - 1 for start in index(trace).runs[phase_of][1:]] + [len(trace.steps) - 1]
    return next((end for end in ends if end > at), None)


def phase_progress(trace: Trace, at: int) -> tuple[str, int, int]:
    """The phase at a step, how many steps of it are done, and how many it has."""
    bounds = [*index(trace).runs[phase_of], len(trace.steps)]
    number = bisect_right(bounds, at) - 1
    start, end = bounds[number : number + 2]
    return trace.steps[at].phase, at - start + 1, end - start


def first_fault(trace: Trace, last: int | None = None) -> tuple[int, str] | None:
    """The first step that is different from its twin or not finite, and what is wrong there.

    A given tensor that is not finite counts at step 0. None too where it comes after `last`.
    """
    last = len(trace.steps) - 1 if last is None else last
    found = faults(trace)
    found.look(trace, last)
    return found.first if found.first is not None and found.first[0] <= last else None


def _is_sick(health: str) -> bool:
    return health in ("NaN", "inf")


def _is_different(comparison: Comparison) -> bool:
    return comparison.verdict.value == "different"


def tally(trace: Trace, at: int) -> dict[Verdict, int]:
    """How often each verdict was given among the twins computed so far, the worst last."""
    counts = {v: bisect_right(steps, at) for v, steps in index(trace).twins.items()}
    return {v: counts[v] for v in sorted(counts, key=_rank) if counts[v]}


def worst(trace: Trace, first: int, last: int) -> Verdict | None:
    """The worst verdict on the steps from `first` to `last` and on the ops that end there."""
    found = index(trace).verdicts
    for verdict in sorted(found, key=_rank, reverse=True):
        number = bisect_left(found[verdict], first)
        if number < len(found[verdict]) and found[verdict][number] <= last:
            return verdict
    return None


def _rank(verdict: Verdict) -> int:
    return verdict.rank


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
    """The rows (see `rows.Row.key`) of the values that the step at `at` reads."""
    found = (source(trace, name, at) for name in trace.steps[at].reads)
    return frozenset(key for key in found if key)


def source(trace: Trace, name: str, at: int) -> str:
    """The row that a name means to the step at `at`: its last binding before; "" without any."""
    known = index(trace)
    by_hand = _last(known.bindings.get(name, ()), at)
    by_torch = _last(known.labels.get(name, ()), at)
    if by_hand < 0 and by_torch < 0:
        return known.given.get(name, "")
    return f"step:{by_hand}" if by_hand >= by_torch else f"twin:{by_torch}"


def parents(trace: Trace, row: str) -> list[str]:
    """The rows of the values that the one in `row` was made from; autograd's have none."""
    kind, _, number = row.partition(":")
    if kind != "step":
        return []
    reads = dict.fromkeys(source(trace, name, int(number)) for name in _step(trace, row).reads)
    return [found for found in reads if found]


def children(trace: Trace, row: str) -> list[int]:
    """The steps that read the value in `row`, before its name is bound anew."""
    name = row.partition(":")[2]
    if not row.startswith("given:"):
        step = _step(trace, row)
        name = step.twin.label if row.startswith("twin:") and step.twin else step.name
    readers = dict.fromkeys(index(trace).readers.get(name, ()))
    return [step for step in readers if source(trace, name, step) == row]


def _step(trace: Trace, row: str) -> Step:
    return trace.steps[int(row.partition(":")[2])]


def _last(steps: Sequence[int], at: int) -> int:
    """The last of `steps` before `at`, -1 if there is none."""
    number = bisect_left(steps, at)
    return steps[number - 1] if number else -1
