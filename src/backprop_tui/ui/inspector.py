"""The inspector: the keys that move through one tensor and choose what is shown of it."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType

from ..slices import default_view, neighbour, parse, parse_index, resolve
from .prompt import Prompt
from .viewer import Viewer


class Inspector(Viewer):
    """Any tensor, cell by cell, and where the cell under the cursor came from."""

    HELP: ClassVar[str] = (
        "One tensor, cell by cell, with the arithmetic behind the cell under the cursor."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "statistics", "statistics", id="inspector.statistics"),
        Binding("d", "difference", "difference", id="inspector.difference"),
        Binding("H", "heat", "heat map", id="inspector.heat"),
        Binding("e", "expand", "terms of the cell", show=False, id="inspector.expand"),
        Binding("slash", "slice", "slice", id="inspector.slice"),
        Binding("i", "go", "go to index", show=False, id="inspector.go"),
        Binding("full_stop", "turn(1)", "next slice", show=False, id="inspector.next"),
        Binding("comma", "turn(-1)", "previous slice", show=False, id="inspector.previous"),
    ]

    def action_statistics(self) -> None:
        """Show the statistics as a table, or the terms again."""
        self._right = "terms" if self._right == "statistics" else "statistics"
        self._tell()

    def action_expand(self) -> None:
        """Write out the terms of the cell, or hide them."""
        self._right = "" if self._right == "terms" else "terms"
        if self._right and self._subject is not None and self._expander is None:
            self.notify(f"{self._subject.name} was computed by no rule's line", timeout=3)
        self._tell()

    def action_heat(self) -> None:
        """Switch the heat map on or off."""
        self._grid.heated = not self._grid.heated
        self._fit_grid()

    def action_difference(self) -> None:
        """Show the value minus its twin in the grid, or the value again."""
        subject = self._subject
        if subject is None:
            return
        if not subject.comparable:
            why = "has a twin of another shape" if subject.twin is not None else "has no twin"
            self.notify(f"{subject.name} {why}: nothing to take the difference to", timeout=3)
            return
        self._differing = not self._differing
        self._look(self._view, self._grid.index)

    def action_turn(self, direction: int) -> None:
        """Go to the next or previous slice of the dimensions that are not in sight."""
        if self._subject is None:
            return
        turned = neighbour(self._view, direction)
        if turned is not None:
            self._look(turned, self._grid.index)
        elif self._view.everything:
            self.notify("all of it is in the grid: there is no other slice", timeout=3)
        else:
            self.notify(f"this is the {'last' if direction > 0 else 'first'} slice", timeout=3)

    def action_slice(self) -> None:
        """Ask for the part to look at."""
        if self._subject is not None:
            now = str(self._view) if not self._view.everything else ""
            example = f"[{', '.join([':'] * self._subject.value.dim())}]"
            self._prompt.ask("slice", now, f"{example}, empty for all")

    def action_go(self) -> None:
        """Ask for the element to go to."""
        if self._subject is not None and self._subject.value.numel():
            self._prompt.ask("go to", ", ".join(map(str, self._index)), "3, 7")

    @on(Prompt.Answered)
    def _answered(self, message: Prompt.Answered) -> None:
        message.stop()
        assert self._subject is not None
        shape = self._subject.value.shape
        try:
            if message.purpose == "slice":
                self._slice(message.text, shape)
            else:
                self._go(parse_index(message.text, shape))
        except ValueError as error:
            self._prompt.refuse(str(error))
            return
        self._prompt.close()
        self._grid.focus()

    @on(Prompt.Closed)
    def _given_up(self, message: Prompt.Closed) -> None:
        message.stop()
        self._grid.focus()

    def _slice(self, text: str, shape: tuple[int, ...]) -> None:
        name, items = parse(text)
        assert self._subject is not None
        if name not in ("", self._subject.name):
            raise ValueError(f"this is {self._subject.name}, not {name}")
        view = resolve(items, shape)
        self._sliced = bool(items) and not view.everything
        self._look(view if self._sliced else default_view(shape))

    def _go(self, index: tuple[int, ...]) -> None:
        """Go to an element, in another slice if this one does not hold it."""
        cell = self._view.cell(index)
        if cell is not None:
            self._look(self._view, cell)
            return
        self._sliced = False
        kept = max(0, len(index) - 2)
        view = resolve(index[:kept], self._view.sizes)
        self._look(view, index[kept:])
