"""The forward, manual and autograd panes: tensors in the order they come into being."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from .. import render
from ..rows import Layout, Row, Rows
from .lines import LinePane

if TYPE_CHECKING:
    from torch import Tensor

    from ...steps import Trace

LABEL, REST = 12, 14
"""Shapes stand in a column after so many cells, or two fifths of a wide pane; a longer label moves
its own to the right, as long as so many cells are left."""


def shortened(label: str, room: int) -> str:
    """A label in `room` cells; of a long path the end says most."""
    return label if len(label) <= room else f"…{label[len(label) - room + 1 :]}"


@dataclass(frozen=True)
class Look:
    """How one row stands at the cursor."""

    computed: bool
    current: bool
    operand: bool
    selected: bool


class ValuePane(LinePane):
    """One column of tensors."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "inspect", "inspect", id="values.inspect"),
        Binding("space", "flip", "fold or unfold", show=False, id="values.toggle"),
    ]

    class Selected(Message):
        """A row was chosen; `inspect` asks for the inspector itself."""

        def __init__(self, row: Row, inspect: bool) -> None:
            super().__init__()
            self.row = row
            self.inspect = inspect

    class Folded(Message):
        """A row asks to be folded or unfolded."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    def __init__(self, title: str, words: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.border_title = title
        self.help = words
        self.laid_out = Layout(Rows(), ())
        self.folded: Collection[str] = ()
        self._at = -1
        self._current = ""
        self._operands: Collection[str] = ()
        self._selected = ""
        self._fillings = 0
        self._cells: dict[tuple[int, int], list[tuple[render.Cell, ...]]] = {}

    # Set by the parent.

    def fill(self, layout: Layout, folded: Collection[str]) -> None:
        """Show these rows; the place is kept, for another iteration has the same rows."""
        self.laid_out, self.folded = layout, folded
        self._fillings += 1
        self._cells.clear()
        self.measure()

    def show(self, trace: Trace, at: int, current: str, operands: Collection[str]) -> None:
        """Move to step `at`; light up the row `current` and those that its line reads."""
        self._at, self._current = at, current
        self._operands = operands
        self._selected = "" if self.laid_out.rows.number(current) is None else current
        self._reveal(self._selected)
        self.repaint()

    def on_resize(self) -> None:
        super().on_resize()
        self._reveal(self._selected)

    def _reveal(self, key: str) -> None:
        number = self.laid_out.rows.number(key)
        if number is not None:
            tops = self.laid_out.tops
            self.reveal(tops[number], tops[number + 1] - 1)

    # Lines.

    def line_count(self) -> int:
        return self.laid_out.height

    def line_key(self, line: int) -> Hashable:
        number, inside = self._place(line)
        rows = self.laid_out.rows
        row = rows[number]
        look = self._look(row)
        if inside >= 0:
            return look.current, look.operand, self._numbers_key(number, inside, look)
        shown = self._value_key(number, look)
        return look, row.label, rows.longest, row.detail, row.twin, row.verdict, shown

    def _place(self, line: int) -> tuple[int, int]:
        """The number of the row that a line is of, and the line's in it: -1 for its heading."""
        number = self.laid_out.at(line)
        return number, line - self.laid_out.tops[number] - 1

    def _value_key(self, number: int, look: Look) -> Hashable:
        """What a row's heading shows of the value."""
        value, body = self.laid_out.rows[number].value, self.laid_out.bodies[number]
        if value is None or not look.computed or (body and value.dim()):
            return None if value is None else value.shape
        return (number, self._fillings) if value.dim() else render.number(float(value), 9)

    def _numbers_key(self, number: int, inside: int, look: Look) -> Hashable:
        """What a line under the heading shows of the value."""
        row = self.laid_out.rows[number]
        if row.value is None or inside >= row.height:
            return None
        if not look.computed:
            return row.value.shape
        if not render.is_small(row.value):
            return number, self._fillings
        return self._cells_of(number, row.value)[inside]

    def _cells_of(self, number: int, value: Tensor) -> list[tuple[render.Cell, ...]]:
        """A small tensor's rows, which stay the same for as long as it stands here."""
        room = self.line_width - 1
        if (number, room) not in self._cells:
            self._cells[number, room] = render.matrix_cells(value, room)
        return self._cells[number, room]

    def _look(self, row: Row) -> Look:
        return Look(
            computed=row.at <= self._at,
            current=bool(row.key) and row.key == self._current,
            operand=bool(row.key) and row.key in self._operands,
            selected=bool(row.key) and row.key == self._selected and self.has_focus,
        )

    def line_text(self, line: int, width: int) -> Text:
        number, inside = self._place(line)
        row = self.laid_out.rows[number]
        look = self._look(row)
        if not row.key:
            return self._heading(row, look, width) if inside < 0 else Text("")
        out = self._bar(look)
        if inside < 0:
            out.append_text(self._title(number, look, width - 1))
            if look.selected:
                out.pad_right(max(0, width - out.cell_len))
                out.stylize(f"on {self.palette.raised}", 1)
        else:
            out.append_text(self._body(number, look, inside, width - 1))
        return out

    def _heading(self, row: Row, look: Look, width: int) -> Text:
        if not row.label:
            return Text("")
        colour = self.palette.muted if look.computed else self.palette.dim
        rest = max(0, width - len(row.label) - 5)
        return Text(f" ── {row.label} " + "─" * rest, colour)

    def _bar(self, look: Look) -> Text:
        if look.current:
            return Text.assemble(("▌", self.palette.accent))
        return Text.assemble(("▏" if look.operand else " ", self.palette.formula))

    def _title(self, number: int, look: Look, width: int) -> Text:
        """Name, shape and, at the right edge, what the value was compared with."""
        row, palette = self.laid_out.rows[number], self.palette
        assert row.value is not None
        out = Text()
        tone = palette.dim
        if look.computed:
            tone = f"bold {palette.accent if look.current else palette.text}"
            tone = f"bold {palette.formula}" if look.operand and not look.current else tone
        column = min(max(LABEL, width * 2 // 5), self.laid_out.rows.longest + 1)
        label = shortened(row.label, max(column, width - REST) - 1)
        out.append(f"{label:<{column - 1}} ", tone)
        small = look.computed and row.value.dim() == 0
        if small:
            out.append(render.number(float(row.value), 9), f"bold {palette.bright}")
        else:
            out.append(render.shape_of(row.value), palette.muted if look.computed else palette.dim)
        verdict = self._verdict(row, look, width - out.cell_len - 1)
        room = width - out.cell_len - verdict.cell_len - 2
        if look.computed and not self.laid_out.bodies[number] and not small and row.value.numel():
            out.append(" ")
            out.append_text(render.summary(row.value, max(0, room), palette))
        room = width - out.cell_len - verdict.cell_len - 2
        if row.detail and len(row.detail) <= room:
            out.append(f" {row.detail}", palette.dim)
        out.pad_right(max(0, width - out.cell_len - verdict.cell_len))
        out.append_text(verdict)
        return out

    def _verdict(self, row: Row, look: Look, room: int) -> Text:
        """As much of ``↔ pgrad[2] ✓ exact`` as there is room for."""
        palette = self.palette
        if row.verdict is None or not look.computed:
            return Text(row.twin if len(row.twin) <= room else "", palette.dim)
        words, glyph = (render.badge(row.verdict, palette, w) for w in (True, False))
        full = Text.assemble((f"{row.twin} ", palette.muted), words)
        return next((t for t in (full, words, glyph) if t.cell_len <= room), glyph)

    def _body(self, number: int, look: Look, inside: int, room: int) -> Text:
        row = self.laid_out.rows[number]
        if row.value is None or inside >= row.height:
            return Text("")
        small, columns = render.is_small(row.value), render.matrix_size(row.value)[1]
        if not look.computed:
            return render.pending_row(columns, room, self.palette) if small else Text("")
        if small:
            cells = self._cells_of(number, row.value)[inside]
            return render.matrix_row(cells, columns, self.palette)
        return Text(" ").append_text(render.summary(row.value, room - 1, self.palette))

    # Handlers and actions.

    def on_focus(self) -> None:
        self.repaint()

    def on_blur(self) -> None:
        self.repaint()

    def on_click(self, event: events.Click) -> None:
        line = self.line_under(event)
        if line is not None:
            row = self.laid_out.rows[self.laid_out.at(line)]
            self._choose(row, inspect=event.chain > 1)

    def _choose(self, row: Row, inspect: bool) -> None:
        if not row.key:
            return
        self._selected = row.key
        self._reveal(row.key)
        self.repaint()
        self.post_message(self.Selected(row, inspect))

    def _row(self) -> Row | None:
        number = self.laid_out.rows.number(self._selected)
        return None if number is None else self.laid_out.rows[number]

    def action_inspect(self) -> None:
        """Open the selected tensor in the inspector."""
        if (row := self._row()) is not None:
            self._choose(row, inspect=True)

    def action_flip(self) -> None:
        """Fold the numbers of the selected tensor into one line, or unfold them."""
        if self._selected:
            self.post_message(self.Folded(self._selected))

    def action_line_up(self) -> None:
        self._move(-1)

    def action_line_down(self) -> None:
        self._move(1)

    def _move(self, direction: int) -> None:
        """Select the row above or below; without a selection, the nearest one in sight."""
        rows = self.laid_out.rows
        number = rows.number(self._selected)
        if number is None:
            number = self.laid_out.at(self.scroll_offset.y)
        else:
            number += direction
        while 0 <= number < len(rows) and not rows[number].key:
            number += direction
        if 0 <= number < len(rows):
            self._choose(rows[number], inspect=False)
