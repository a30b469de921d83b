"""What our chain of cotangents is measured by: what ops give alone, and a chain that follows it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence

from torch import Tensor

from .backward import Chain
from .tape import Op


class Links:
    """Our chain once more, from autograd's own cotangents: the sums of what the ops gave alone.

    A derivative is linear in the cotangent that comes in. Where that `agreed`, ours and autograd's
    are apart by rounding alone, and what an op gives alone tells how far it has carried that
    rounding. This says nothing where an op is not right alone, or what came into it not agreed.
    """

    def __init__(self) -> None:
        self.agreed: set[int] = set()
        self._sums: dict[int, Tensor] = {}
        self._broken: set[int] = set()

    def add(self, op: Op, came: Iterable[int], given: Mapping[int, Tensor] | None) -> None:
        """One op's part: value index -> cotangent; None if it is not right alone."""
        if given is None or not self.agreed.issuperset(came):
            self._broken.update(op.inputs)
            return
        for value, cotangent in given.items():
            before = self._sums.get(value)
            self._sums[value] = cotangent if before is None else before + cotangent

    def take(self, value: int) -> Tensor | None:
        """The sum, if all ops that gave to it are links, to be kept no longer."""
        found = self._sums.pop(value, None)
        return None if value in self._broken else found


class Follower:
    """A chain that comes after only when it is asked, and keeps no cotangent for later."""

    def __init__(
        self, chain: Callable[[], Chain], ops: Sequence[Op], leaves: Mapping[int, Sequence[int]]
    ) -> None:
        self._begin, self._leaves = chain, leaves
        self._ahead = iter(ops)
        self._op: Op | None = None

    @functools.cached_property
    def _chain(self) -> Chain:
        return self._begin()

    def at(self, op: Op | None, value: int) -> Tensor | None:
        """The cotangent of a value, when `op` has been stepped through."""
        while op is not None and self._op is not op:
            if self._op is not None:
                self._chain.forget(self._leaves[self._op.index])
            self._op = next(self._ahead)
            self._chain.step(self._op)
            self._chain.forget(v for v in self._op.results if v not in self._op.inputs)
        return self._chain.complete(value)
