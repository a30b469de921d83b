"""One training step as the detectors see it, and what is remembered of the steps before."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..judge import Judged
from ..tape import Tape


@dataclass
class Memory:
    """What later steps are told of earlier ones."""

    steps: int = 0

    def remember(self, examined: Examined) -> None:
        """Take from a step what the next ones need; never the whole tape."""
        self.steps += 1


@dataclass(frozen=True)
class Examined:
    """A training step under examination.

    Attributes:
        judged: one for each of the tape's backward passes, in order.
        error: the exception that it ended with, if it did.
        memory: of the steps before this one.
    """

    tape: Tape
    judged: tuple[Judged, ...]
    step: int = 1
    error: BaseException | None = None
    memory: Memory = field(default_factory=Memory)
