"""Where ``c`` stops: on an op, at a place, or where a condition becomes true."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import CodeType
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from ..spots import Spot
from .evaluation import mentioned

if TYPE_CHECKING:
    from ..steps import Trace


@dataclass(frozen=True)
class Condition:
    """An expression over the names on screen, `loss` and `iteration`."""

    source: str
    code: CodeType = field(compare=False)
    names: frozenset[str] | None = field(compare=False)
    """What it asks for; None where that may be anything."""

    @classmethod
    def parse(cls, source: str) -> Condition:
        """Compile an expression.

        Raises:
            UserError: if it is none.
        """
        try:
            return cls(source, compile(source, "<breakpoint>", "eval"), mentioned(source))
        except (SyntaxError, ValueError) as error:
            raise UserError(f"not an expression: {source} ({error})") from error

    def holds(self, names: Mapping[str, Any]) -> bool:
        """Whether it is true. A name that is not bound yet makes it false.

        Raises:
            UserError: whatever else goes wrong in it, for it is the user's code.
        """
        try:
            return bool(eval(self.code, dict(names)))
        except NameError:
            return False
        except Exception as error:
            raise UserError(f"{self.source}: {type(error).__name__}: {error}") from error

    @property
    def only_loss(self) -> bool:
        """Whether it can be told from the losses alone, without looking into any step."""
        return set(self.code.co_names) <= {"loss", "iteration"}


@dataclass
class Breakpoints:
    """All of them. Ops are told by their number in the trace, which every iteration shares."""

    groups: set[int] = field(default_factory=set)
    spots: list[Spot] = field(default_factory=list)
    conditions: list[Condition] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.groups or self.spots or self.conditions)

    def toggle(self, group: int) -> bool:
        """Set or clear the breakpoint on an op; whether it is set now."""
        self.groups ^= {group}
        return group in self.groups

    def add(self, source: str, trace: Trace) -> None:
        """Set a breakpoint at a place of the trace, at a line, or on a condition, once.

        Raises:
            UserError: if it is no place and not an expression.
        """
        spot = Spot(source)
        if Spot.may_be(source) and (spot.is_line or at(spot, trace)):
            if spot not in self.spots:
                self.spots.append(spot)
            return
        condition = Condition.parse(source)
        if condition not in self.conditions:
            self.conditions.append(condition)

    def stopping(self, trace: Trace) -> set[int]:
        """The groups of a trace with a breakpoint."""
        return self.groups.union(*(at(spot, trace) for spot in self.spots))

    def settle(self, trace: Trace) -> None:
        """Turn breakpoints on ops into places, which hold in other steps of a program too."""
        for number in self.groups:
            group = trace.groups[number]
            place = f"{group.source[0]}:{group.source[1]}" if group.source else group.op
            if Spot(place) not in self.spots:
                self.spots.append(Spot(place))
        self.groups.clear()

    @property
    def only_loss(self) -> bool:
        """Whether the losses alone tell where to stop."""
        return not self.groups and not self.spots and all(c.only_loss for c in self.conditions)

    def becomes_true(self, trace: Trace, step: int) -> bool:
        """Whether a condition holds at a step that did not hold at the one before it."""
        if not self.conditions:
            return False
        holding = [c for c in self.conditions if c.holds(scope(trace, step, c.names))]
        if not holding or not step:
            return bool(holding)
        return any(not c.holds(scope(trace, step - 1, c.names)) for c in holding)


def at(spot: Spot, trace: Trace) -> set[int]:
    """The groups of a trace that stand at a place."""
    return {
        group.index
        for group in trace.groups
        if spot.holds(group.op, group.layer, *(group.source or ("", 0)))
    }


def scope(trace: Trace, step: int, wanted: Iterable[str] | None = None) -> dict[str, Any]:
    """What a condition can name at a step; of the steps' names only what is `wanted`."""
    return {**trace.namespace(step, wanted), "iteration": trace.iteration}
