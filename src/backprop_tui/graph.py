"""How the ops of a tape hang together, kept up as they come: every backward pass asks."""

from __future__ import annotations

from collections.abc import Iterable

from .rules.implicit import write_through
from .tape import Op


class Graph:
    """The ops so far, the op that made each value, and the values that several ops read.

    `spans` are autograd's sequence numbers before and after each call, in order, and `writes`
    the ops that bring a write into a view to its base.
    """

    def __init__(self) -> None:
        self.ops: list[Op] = []
        self.writes: list[Op] = []
        self.spans: list[tuple[int, int]] = []
        self.makers: dict[int, Op] = {}
        self.shared: set[int] = set()
        self._read: set[int] = set()

    def add(self, op: Op) -> None:
        """Take in an op."""
        self.ops.append(op)
        if op.function is write_through:
            self.writes.append(op)
        inputs = set(op.inputs)
        if (
            op.node or op.implicit
        ):  # what carries no gradient, such as an initialisation, has no share
            self.shared |= inputs & self._read
            self._read |= inputs
        for value in op.results:
            if value not in inputs:
                self.makers[value] = op

    def made(self, values: Iterable[int]) -> list[Op]:
        """The ops that made any of `values`, in order, with those that wrote into a view of it."""
        found = {op.index for value in values if (op := self.makers.get(value))}
        found |= {index - 1 for index in found if self.ops[index].function is write_through}
        return [self.ops[index] for index in sorted(found)]

    def after(self, op: Op) -> Op | None:
        """The next op."""
        return self.ops[op.index + 1] if op.index + 1 < len(self.ops) else None
