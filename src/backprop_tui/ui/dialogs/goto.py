"""Go to anything by a few letters of its name."""

from __future__ import annotations

from dataclasses import replace
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

from ..cursor import Place
from ..goals import Goal, goals, meant

if TYPE_CHECKING:
    from ...steps import Trace


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
        self._here = here
        self._goals = goals(trace)
        self._found: list[Goal] = []

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Input(
                placeholder="rex4, ReLU, 2.weight, backward, iteration 300", select_on_focus=False
            )
            yield OptionList()

    def on_mount(self) -> None:
        self.query_one(Vertical).border_title = "go to"
        self._search("")

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        self._search(event.value)

    def _search(self, query: str) -> None:
        matcher = Matcher(query, match_style=Style(bold=True, underline=True))
        self._found = meant(self._goals, query, self._iterations)
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
        if at is None or not self._found:
            self.dismiss(None)
        else:
            self._choose(self._found[at])

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self._choose(self._found[event.option_index])

    def _choose(self, goal: Goal) -> None:
        at = goal.target
        self.dismiss(replace(self._here, step=at) if isinstance(at, int) else at)
