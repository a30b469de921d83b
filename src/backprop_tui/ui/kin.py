"""What a value was made from, and what was made from it: by names, as the screen shows them.

A row is named as in `rows.Row.key`.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .once import once

if TYPE_CHECKING:
    from ..steps import Step, Trace


AT_ONCE = 1000


class Bindings:
    """What names mean, as far as one asks; every list of steps is in order.

    Attributes:
        by_hand: name -> the steps that bind it; `by_torch`: the same for the names of twins.
        given: name -> the row of the tensor that it is from the beginning.
    """

    def __init__(self, trace: Trace) -> None:
        self.by_hand: dict[str, list[int]] = defaultdict(list)
        self.by_torch: dict[str, list[int]] = defaultdict(list)
        self.given = {item.name: f"given:{item.name}" for item in trace.given}
        self._seen = 0
        self._looking = threading.Lock()

    def reach(self, trace: Trace, end: int) -> None:
        """Go on to the step `end`, exclusive."""
        with self._looking:
            for step in trace.steps[self._seen : end]:
                self.by_hand[step.name].append(step.index)
                if step.twin is not None:
                    self.by_torch[step.twin.label].append(step.index)
            self._seen = max(self._seen, end)


_bindings = once(Bindings)


def bindings(trace: Trace, end: int) -> Bindings:
    """What names mean to the step `end`."""
    found = _bindings(trace)
    found.reach(trace, end)
    return found


def bind_all(trace: Trace) -> None:
    """Have the meaning of every name at hand; whoever asks meanwhile does not wait for all."""
    for end in (*range(0, len(trace.steps), AT_ONCE), len(trace.steps)):
        bindings(trace, end)


@once
def readers(trace: Trace) -> dict[str, list[int]]:
    """Name -> the steps that read it."""
    found: dict[str, list[int]] = defaultdict(list)
    for step in trace.steps:
        for name in step.reads:
            found[name].append(step.index)
    return found


def operands(trace: Trace, at: int) -> frozenset[str]:
    """The rows (see `rows.Row.key`) of the values that the step at `at` reads."""
    found = (source(trace, name, at) for name in trace.steps[at].reads)
    return frozenset(key for key in found if key)


def source(trace: Trace, name: str, at: int) -> str:
    """The row that a name means to the step at `at`: its last binding before; "" without any."""
    known = bindings(trace, at)
    by_hand = _last(known.by_hand.get(name, ()), at)
    by_torch = _last(known.by_torch.get(name, ()), at)
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
    reading = dict.fromkeys(readers(trace).get(name, ()))
    return [step for step in reading if source(trace, name, step) == row]


def _step(trace: Trace, row: str) -> Step:
    return trace.steps[int(row.partition(":")[2])]


def _last(steps: Sequence[int], at: int) -> int:
    """The last of `steps` before `at`, -1 if there is none."""
    number = bisect_left(steps, at)
    return steps[number - 1] if number else -1
