"""What autograd gave the parameters, kept for a program that goes on by hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from torch import Tensor

from ..tape import Backward, Op, Tape
from .examined import Examined, Kept
from .flow import works_in_place
from .untrained import called

_CLOSE = 1e-5


class Given(NamedTuple):
    """A parameter's gradient of one pass: in all, and by use where there are several."""

    total: Tensor
    parts: tuple[Tensor, ...]


class Passed(Kept):
    """What the last pass gave each parameter, where no optimizer uses it.

    A step ends at the first differentiable op after its backward, so that what a program
    computes by hand may stand in the next one.
    """

    def __init__(self) -> None:
        self.given: dict[str, Given] = {}

    def remember(self, examined: Examined) -> None:
        tape = examined.tape
        if tape.updates:
            self.given = {}
        for backward in () if tape.updates else tape.backwards:
            leaves = (value for value in backward.cotangents if tape.values[value].leaf)
            self.given |= {called(tape, value): _given(backward, value) for value in leaves}


def given_at(examined: Examined, value: int, passes: int) -> Given | None:
    """What the last of the first so many passes gave a leaf, or that of the step before."""
    for backward in reversed(examined.tape.backwards[:passes]):
        if value in backward.cotangents:
            return _given(backward, value)
    return examined.memory.of(Passed).given.get(called(examined.tape, value))


def passes_before(tape: Tape, op: Op) -> int:
    """How many backward passes an op comes after."""
    return sum(backward.after <= op.index for backward in tape.backwards)


def is_borrowed(examined: Examined, values: Iterable[int]) -> bool:
    """Whether values were computed from a gradient of autograd's."""
    tape = examined.tape
    known = [*examined.memory.of(Passed).given.values()]
    known += [_given(b, v) for b in tape.backwards for v in b.cotangents if tape.values[v].leaf]
    leaves = [tape.values[value] for value in examined.flow.above(values)]
    return any(
        near(leaf.tensor, part)
        for leaf in leaves
        if leaf.leaf and not leaf.requires_grad
        for given in known
        for part in (given.total, *given.parts)
    )


def updates_by_hand(examined: Examined) -> Iterator[tuple[Op, Given]]:
    """The ops that write to a parameter in place, where no gradient flows, after a pass."""
    tape = examined.tape
    examined.memory.of(Passed)  # from the first step on
    for op in tape.ops:
        if works_in_place(op) and not op.node and not op.implicit:
            value = tape.values[op.inputs[0]]
            given = given_at(examined, value.index, passes_before(tape, op))
            if value.leaf and value.requires_grad and given is not None:
                yield op, given


def near(mine: Tensor, theirs: Tensor) -> bool:
    """Whether two gradients are the same but for rounding; zeros are nobody's in particular."""
    if mine.shape != theirs.shape:
        return False
    apart, size = float((mine - theirs).norm()), float(theirs.norm())
    return size > 0 and apart <= _CLOSE * size


def _given(backward: Backward, value: int) -> Given:
    parts = [part for (_, v), part in backward.contributions.items() if v == value]
    return Given(backward.cotangents[value], tuple(parts))
