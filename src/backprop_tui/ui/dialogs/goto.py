"""Go to anything by a few letters of its name."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.fuzzy import Matcher
from textual.screen import ModalScreen
from textual.style import Style
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from .. import cursor
from ..cursor import Place

if TYPE_CHECKING:
    from ...steps import Trace

SHOWN = 60


@dataclass(frozen=True)
class Goal:
    """Somewhere to go: a place, or the row of a given tensor."""

    name: str
    what: str
    target: Place | str

    @property
    def text(self) -> str:
        return f"{self.name:<14} {self.what}"


class GoTo(ModalScreen[Place | str | None]):
    """An input and what it may mean, the best first."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "close", id="goto.close"),
        Binding("up", "highlight(-1)", "up", show=False, priority=True, id="goto.up"),
        Binding("down", "highlight(1)", "down", show=False, priority=True, id="goto.down"),
    ]

    def __init__(self, trace: Trace, here: Place, iterations: int) -> None:
        super().__init__()
        self._iterations = iterations
        self._goals = goals(trace, here)
        self._found: list[Goal] = []

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Input(placeholder="rex4, ReLU, 2.weight, backward, iteration 300")
            yield OptionList()

    def on_mount(self) -> None:
        self.query_one(Vertical).border_title = "go to"
        self._search("")

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        self._search(event.value)

    def _search(self, query: str) -> None:
        matcher = Matcher(query, match_style=Style(bold=True, underline=True))
        self._found = find(self._goals, query, self._iterations)[:SHOWN]
        options = self.query_one(OptionList)
        options.clear_options()
        for goal in self._found:
            text = matcher.highlight(goal.text) if query.strip() else Content(goal.text)
            options.add_option(Option(text))
        if self._found:
            options.highlighted = 0

    def action_highlight(self, direction: int) -> None:
        options = self.query_one(OptionList)
        if self._found:
            at = (options.highlighted or 0) + direction
            options.highlighted = max(0, min(len(self._found) - 1, at))

    @on(Input.Submitted)
    def _submitted(self) -> None:
        at = self.query_one(OptionList).highlighted
        self.dismiss(self._found[at].target if at is not None and self._found else None)

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._found[event.option_index].target)


def goals(trace: Trace, here: Place) -> list[Goal]:
    """Everything that has a name in a trace: phases, ops, lines with their twins, given tensors."""
    phases = [trace.steps[i] for i in cursor.index(trace).runs[cursor.phase_of]]
    out = [Goal(s.phase, "phase", replace(here, step=s.index)) for s in phases]
    for step in trace.steps:
        twin = f" ↔ {step.twin.label} {step.twin.detail}" if step.twin else ""
        out.append(Goal(step.label, f"{step.formula}{twin}", replace(here, step=step.index)))
    for group in trace.groups:
        if group.steps:
            out.append(Goal(group.title, group.phase, replace(here, step=group.steps[0])))
    out += [Goal(g.label, f"{g.detail} given".strip(), f"given:{g.name}") for g in trace.given]
    return out


def find(all_goals: list[Goal], query: str, iterations: int) -> list[Goal]:
    """The goals that a query may mean, the best first; a number is an iteration."""
    query = query.strip()
    numbered: list[Goal] = []
    if match := re.fullmatch(r"(?:it(?:eration)?\s*)?(\d+)", query):
        number = int(match[1])
        if 1 <= number <= iterations:
            numbered = [Goal(f"iteration {number}", f"of {iterations}", Place(number, 0))]
    if not query:
        return list(all_goals)
    matcher = Matcher(query)
    scored = [(_score(matcher, query, goal), -i, goal) for i, goal in enumerate(all_goals)]
    return numbered + [
        goal for score, _, goal in sorted(scored, reverse=True, key=lambda s: s[:2]) if score > 0
    ]


def _score(matcher: Matcher, query: str, goal: Goal) -> float:
    """A name that is the query beats one that begins with it, and both any other match."""
    name = goal.name.lower()
    bonus = 1000.0 if name == query.lower() else 100.0 if name.startswith(query.lower()) else 0.0
    return bonus + 2 * matcher.match(goal.name) + matcher.match(goal.text)
