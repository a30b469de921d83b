"""What clipping made of the gradients between backward and the update, by hand."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from .compare import Comparison, Verdict, compare
from .numeric import widen
from .rules.optimizer import clamped, coefficient, scaled, total_norm
from .tape import Event, Tape
from .visit import Convert, same
from .witness import DRAWS, shaken


@dataclass(frozen=True, eq=False)
class Clip:
    """One clipping: what the program called, and the gradients that it found, by leaf."""

    event: Event
    found: dict[int, Tensor]

    def norm(self, convert: Convert = same) -> Tensor:
        """The norm of the gradients by hand."""
        return total_norm([convert(grad) for grad in self.found.values()], self.event.order)

    def clipped(self, value: int, convert: Convert = same) -> Tensor:
        """A leaf's gradient after it by hand, scaled by the norm that torch found."""
        grad, norm, limit = convert(self.found[value]), self.event.tensor, self.event.limit
        if norm is None:
            return clamped(grad, limit)
        return scaled(grad, coefficient(convert(norm), limit).to(grad.device))

    @cached_property
    def norms(self) -> Comparison | None:
        """The norm by hand beside torch's; None where the program found one by itself."""
        if self.event.tensor is None or math.isnan(self.event.order):
            return None
        return compare(
            self.norm(),
            self.event.tensor,
            lambda: self.norm(widen),
            lambda: (self.norm(shaken(draw)) for draw in range(DRAWS)),
        )

    @property
    def known(self) -> bool:
        """Whether it is by value, or by the very norm that we find."""
        by_value = self.event.tensor is None
        agreed = (Verdict.EXACT, Verdict.ROUNDING)
        return by_value or (self.norms is not None and self.norms.verdict in agreed)

    def compared(self, value: int, theirs: Tensor) -> Comparison:
        """A leaf's gradient after it by hand, beside what torch left of it."""
        return compare(
            self.clipped(value),
            theirs,
            lambda: self.clipped(value, widen),
            lambda: (self.clipped(value, shaken(draw)) for draw in range(DRAWS)),
        )


def clips(tape: Tape, passes: int) -> tuple[Clip, ...]:
    """The clippings between the first so many backward passes and the step that follows."""
    done: list[Clip] = []
    for event in _before_the_step(tape, passes):
        grads = {value: gradient(tape, value, passes, done) for value in event.values}
        found = {value: grad for value, grad in grads.items() if grad is not None}
        if found:
            done.append(Clip(event, found))
    return tuple(done)


def gradient(tape: Tape, value: int, passes: int, done: Sequence[Clip]) -> Tensor | None:
    """A leaf's `.grad` after the first so many passes and the clippings that are `done`."""
    for clip in reversed(done):
        if value in clip.found:
            return clip.clipped(value)
    for backward in reversed(tape.backwards[:passes]):
        if value in backward.cotangents:
            before = backward.leftover.get(value)
            cotangent = backward.cotangents[value]
            return cotangent if before is None else before + cotangent
    return None


def _before_the_step(tape: Tape, passes: int) -> Iterator[Event]:
    for event in tape.events:
        if event.backwards == passes:
            if event.kind == "step":
                return
            if event.kind in ("clip", "clip_value"):
                yield event
