"""How values flow over a tape, with or without a gradient."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from .. import calls
from ..tape import Event, Op, Tape

WAYS_OUT = frozenset(("numpy", "item", "tolist", "__array__", "__float__"))
"""The kinds of event that take numbers out of torch."""


class Flow:
    """Which op made a value, which ones read it, and what depends on what."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self.maker: dict[int, Op] = {}
        self.readers: dict[int, list[Op]] = defaultdict(list)
        for op in tape.ops:
            for value in dict.fromkeys(op.inputs):
                self.readers[value].append(op)
            for value in op.results:
                if value not in op.inputs:
                    self.maker[value] = op

    def above(self, values: Iterable[int]) -> set[int]:
        """Everything that `values` were computed from, themselves too."""
        found = set(values)
        pending = list(found)
        while pending:
            op = self.maker.get(pending.pop())
            for value in op.inputs if op is not None else ():
                if value not in found:
                    found.add(value)
                    pending.append(value)
        return found

    def below(self, values: Iterable[int]) -> set[int]:
        """Everything that was computed from `values`, themselves too."""
        found = set(values)
        pending = list(found)
        while pending:
            for op in self.readers[pending.pop()]:
                for value in op.results:
                    if value not in found:
                        found.add(value)
                        pending.append(value)
        return found

    def is_cut(self, op: Op) -> bool:
        """Whether what the op was given requires a gradient, and what it made does not."""
        values = self._tape.values
        return (
            bool(op.results)
            and any(values[value].requires_grad for value in op.inputs)
            and not any(values[value].requires_grad for value in op.results)
        )

    def cuts(self, values: Iterable[int]) -> Iterator[Op]:
        """The ops at which the gradient paths that begin in `values` end."""
        found = set(values)
        pending, seen = list(found), set[int]()
        while pending:
            for op in self.readers[pending.pop()]:
                if op.index in seen:
                    continue
                seen.add(op.index)
                if self.is_cut(op):
                    yield op
                for value in op.results:
                    if self._tape.values[value].requires_grad and value not in found:
                        found.add(value)
                        pending.append(value)

    def ways_out(self, values: Iterable[int]) -> Iterator[Event]:
        """The events that take something computed from `values` out of torch."""
        below = self.below(values)
        for event in self._tape.events:
            if event.kind in WAYS_OUT and not below.isdisjoint(event.values):
                yield event


def works_in_place(op: Op) -> bool:
    """Whether an op writes to its first argument."""
    return calls.written(op.function, op.args, op.kwargs) is not None
