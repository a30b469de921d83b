"""The parameters that should have had a gradient, and had none."""

from __future__ import annotations

from collections.abc import Iterable

from ..tape import Event, Tape
from .examined import Examined, Kept
from .untrained import Optimizers

_TWIN = 0.5
"""Two weights this close, relative to their norm, are a network and its target: weights that were
drawn apart are √2 away from each other."""


class Reached(Kept):
    """The parameters that have had a gradient in an earlier step."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def remember(self, examined: Examined) -> None:
        values = examined.tape.values
        self.names |= {values[value].called for value in _with_gradient(examined.tape)}


def expected(examined: Examined) -> list[int]:
    """Those that were to be updated, and that some op has read before the last pass."""
    tape, flow = examined.tape, examined.flow
    if not tape.backwards:
        return []
    held = {value for event in _handling(examined) for value in event.values}
    reached = _with_gradient(tape)
    before = examined.memory.of(Reached).names
    lost = [
        value
        for value in sorted(held - reached)
        if tape.values[value].requires_grad
        and tape.values[value].leaf
        and tape.values[value].called not in before
        and any(op.index < tape.backwards[-1].after for op in flow.readers[value])
    ]
    return [value for value in lost if not _has_twin(tape, value, reached)]


def _handling(examined: Examined) -> list[Event]:
    """The optimizers' steps; without an optimizer, where the program itself asked for gradients."""
    events = [event for event in examined.tape.events if event.backwards]
    steps = [event for event in events if event.kind == "step"]
    if steps or examined.memory.of(Optimizers).sources:
        return steps
    return [event for event in events if event.kind == "grad"]


def _with_gradient(tape: Tape) -> set[int]:
    """The leaves that some backward pass has given a gradient, or that an optimizer has used."""
    passes = (set(b.cotangents) | set(b.leftover) for b in tape.backwards)
    return set[int]().union(*passes) | {update.value for update in tape.updates}


def _has_twin(tape: Tape, value: int, reached: Iterable[int]) -> bool:
    """Whether a parameter is nearly the same as one that is trained: that of a target network."""
    mine = tape.values[value].tensor
    return any(
        theirs.shape == mine.shape and float((theirs - mine).norm()) <= _TWIN * float(mine.norm())
        for theirs in (tape.values[other].tensor for other in reached)
    )
