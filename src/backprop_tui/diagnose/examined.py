"""One training step as the detectors see it, and what is remembered of the steps before."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from ..judge import Judged
from ..tape import Event, Tape
from ..variables import variables
from .flow import Flow


class Kept:
    """What one detector remembers from step to step."""

    def remember(self, examined: Examined) -> None:
        """A step has been examined: take from it what the next ones need, never the whole tape."""


K = TypeVar("K", bound=Kept)


class Memory:
    """What later steps are told of earlier ones."""

    def __init__(self) -> None:
        self.steps = 0
        self._kept: dict[type[Kept], Kept] = {}

    def of(self, kind: type[K]) -> K:
        """What a detector remembers, empty at first."""
        kept = self._kept.setdefault(kind, kind())
        assert isinstance(kept, kind)
        return kept

    def remember(self, examined: Examined) -> None:
        """A step has been examined."""
        self.steps += 1
        for kept in self._kept.values():
            kept.remember(examined)


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

    @property
    def last(self) -> Event | None:
        """The last thing that the program did which is no op."""
        return self.tape.events[-1] if self.tape.events else None

    def name(self, value: int) -> str:
        """What the program calls a value, "" if that cannot be told."""
        maker = self.flow.maker.get(value)
        assigned = self._variables.get(maker.index, "") if maker is not None else ""
        return self.tape.values[value].called or assigned

    @functools.cached_property
    def _variables(self) -> Mapping[int, str]:
        return variables(self.tape)

    @functools.cached_property
    def flow(self) -> Flow:
        """Which value comes from which."""
        return Flow(self.tape)
