"""Everything that one can go to by name, and what a few letters may mean of it."""

from __future__ import annotations

import heapq
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from textual.fuzzy import Matcher

from .cursor import Place, phases
from .once import once

if TYPE_CHECKING:
    from ..steps import Trace

SHOWN = 60
SCORED = 2000
"""Of more goals than this, only those that have the query as it is are looked at more closely."""


class Goal(NamedTuple):
    """Somewhere to go: a step, the row of a given tensor, or another iteration."""

    name: str
    what: str
    target: int | str | Place

    @property
    def text(self) -> str:
        return f"{self.name:<14} {self.what}"


@once
def goals(trace: Trace) -> list[Goal]:
    """Everything that has a name in a trace: phases, ops, lines with their twins, given tensors."""
    firsts = [trace.steps[i] for i in phases(trace)]
    out = [Goal(s.phase, "phase", s.index) for s in firsts]
    for step in trace.steps:
        twin = f" ↔ {step.twin.label} {step.twin.detail}" if step.twin else ""
        out.append(Goal(step.label, f"{step.formula}{twin}", step.index))
    out += [Goal(g.title, g.phase, g.steps[0]) for g in trace.groups if g.steps]
    out += [Goal(g.label, f"{g.detail} given".strip(), f"given:{g.name}") for g in trace.given]
    return out


def meant(all_goals: Sequence[Goal], query: str, iterations: int) -> list[Goal]:
    """The goals that a query may mean, the best first; a number is an iteration."""
    query = query.strip()
    numbered: list[Goal] = []
    if match := re.fullmatch(r"(?:it(?:eration)?\s*)?(\d+)", query):
        number = int(match[1])
        if 1 <= number <= iterations:
            numbered = [Goal(f"iteration {number}", f"of {iterations}", Place(number, 0))]
    if not query:
        return list(all_goals[:SHOWN])
    matcher = Matcher(query)
    near = enumerate(_near(all_goals, query))
    scored = [(_score(matcher, query, goal), -i, goal) for i, goal in near]
    best = sorted(scored, reverse=True, key=lambda s: s[:2])[:SHOWN]
    return numbered + [goal for score, _, goal in best if score > 0]


def _near(all_goals: Sequence[Goal], query: str) -> list[Goal]:
    """As many goals as can be scored while one types, the likely ones among them."""
    if len(all_goals) <= SCORED:
        return list(all_goals)
    text = query.casefold()
    found = [goal for goal in all_goals if text in goal.name.casefold()]
    if not found:
        found = [goal for goal in all_goals if text in goal.what.casefold()]
    return heapq.nsmallest(SCORED, found, key=lambda goal: len(goal.name))


def _score(matcher: Matcher, query: str, goal: Goal) -> float:
    """A name that is the query beats one that begins with it, and both any other match."""
    name = goal.name.lower()
    bonus = 1000.0 if name == query.lower() else 100.0 if name.startswith(query.lower()) else 0.0
    return bonus + 2 * matcher.match(goal.name) + matcher.match(goal.text)
