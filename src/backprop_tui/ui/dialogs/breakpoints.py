"""Set, see and remove breakpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Label, OptionList
from textual.widgets.option_list import Option

from ...errors import UserError
from ..breakpoints import Breakpoints

if TYPE_CHECKING:
    from ...steps import Trace


class BreakpointDialog(ModalScreen[None]):
    """Enter alone toggles this op; a place or a condition is added; a chosen line is removed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "close", id="breakpoints.close"),
        Binding("down", "app.focus_next", "to the list", show=False, id="breakpoints.list"),
    ]

    def __init__(self, points: Breakpoints, group: int, trace: Trace) -> None:
        super().__init__()
        self._points, self._group, self._trace = points, group, trace

    def compose(self) -> ComposeResult:
        here = self._called(self._group)
        verb = "remove it from" if self._group in self._points.groups else "set it on"
        with Vertical(classes="dialog"):
            yield Label(f"enter: {verb} this op, {here}", markup=False)
            yield Label("or at a place (train.py:12, a module, an op), or where this becomes true:")
            yield Input(
                placeholder="loss < 10    x3.sum() == 0    relu    fc1", select_on_focus=False
            )
            yield Label("", id="error", markup=False)
            yield OptionList(id="points")

    def on_mount(self) -> None:
        self.query_one(Vertical).border_title = "breakpoints"
        self._list()

    def _called(self, group: int) -> str:
        found = self._trace.groups[group]
        return f"{found.phase}: {found.title}"

    def _list(self) -> None:
        """The breakpoints there are; choosing one removes it."""
        options = self.query_one(OptionList)
        options.clear_options()
        for group in sorted(self._points.groups):
            options.add_option(Option(Content(f"● {self._called(group)}"), id=f"group {group}"))
        for number, spot in enumerate(self._points.spots):
            options.add_option(Option(Content(f"● {spot.text}"), id=f"spot {number}"))
        for number, condition in enumerate(self._points.conditions):
            options.add_option(Option(Content(f"● {condition.source}"), id=f"condition {number}"))
        options.border_title = "enter removes" if self._points else ""
        options.display = bool(self._points)
        options.highlighted = 0 if self._points else None

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        source = event.value.strip()
        if not source:
            self._points.toggle(self._group)
            self.dismiss()
            return
        try:
            self._points.add(source, self._trace)
        except UserError as error:
            self.query_one("#error", Label).update(str(error))
        else:
            self.dismiss()

    @on(OptionList.OptionSelected)
    def _remove(self, event: OptionList.OptionSelected) -> None:
        kind, _, number = (event.option_id or "").partition(" ")
        if kind == "group":
            self._points.toggle(int(number))
        elif kind == "spot":
            del self._points.spots[int(number)]
        else:
            del self._points.conditions[int(number)]
        self._list()
        self.query_one(Input).focus()
