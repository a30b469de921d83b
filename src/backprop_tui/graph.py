"""How the ops of a tape hang together, kept up as they come: every backward pass asks."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from .rules.implicit import write_through
from .tape import Op


class Graph:
    """The ops so far, the op that made each value, and the values that several ops read.

    `writes` are the ops that bring a write into a view to its base.
    """

    def __init__(self) -> None:
        self.ops: list[Op] = []
        self.writes: list[Op] = []
        self._firsts: list[int] = []  # autograd's sequence numbers before each call, in order
        self._lasts: list[int] = []  # and after it
        self.makers: dict[int, Op] = {}
        self.shared: set[int] = set()
        self._read: set[int] = set()

    def add(self, op: Op) -> None:
        """Take in an op."""
        self.ops.append(op)
        if op.function is write_through:
            self.writes.append(op)
        inputs = set(op.inputs)
        if op.node or op.implicit:  # what carries no gradient, as an initialisation, has no share
            self.shared |= inputs & self._read
            self._read |= inputs
        for value in op.results:
            if value not in inputs:
                self.makers[value] = op

    def span(self, first: int, last: int) -> None:
        """A call was made; the nodes that autograd made for it are numbered from `first` on."""
        self._firsts.append(first)
        self._lasts.append(last)

    def spans(self, number: int) -> bool:
        """Whether autograd made the node of this number while a call ran."""
        at = bisect_right(self._firsts, number) - 1
        return at >= 0 and number < self._lasts[at]

    def made(self, values: Iterable[int]) -> list[Op]:
        """The ops that made any of `values`, in order, with those that wrote into a view of it."""
        found = {op.index for value in values if (op := self.makers.get(value))}
        found |= {index - 1 for index in found if self.ops[index].function is write_through}
        return [self.ops[index] for index in sorted(found)]

    def after(self, op: Op) -> Op | None:
        """The next op."""
        return self.ops[op.index + 1] if op.index + 1 < len(self.ops) else None
