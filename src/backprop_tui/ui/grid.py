"""A tensor as a grid of cells, of which only those in sight are ever formatted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.events import Click
from textual.geometry import Region
from textual.reactive import var
from textual.selection import Selection
from textual.strip import Strip

from .ramp import Ramp, mark, ramp_of
from .render import level
from .scroller import Scroller

if TYPE_CHECKING:
    from torch import Tensor

    from ..numbers import NumberFormat

SAMPLE = 4096
"""So many elements decide the number format and the heat map's scale."""

COPIED_CELLS = 100_000
"""A mouse selection copies at most this many cells."""


class TensorGrid(Scroller, can_focus=True, inherit_bindings=False):
    """The cells of a tensor of at most two dimensions; a vector is one row."""

    DEFAULT_CSS = "TensorGrid { height: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1, 0)", "up", show=False, id="grid.up"),
        Binding("down,j", "move(1, 0)", "down", show=False, id="grid.down"),
        Binding("left,h", "move(0, -1)", "left", show=False, id="grid.left"),
        Binding("right,l", "move(0, 1)", "right", show=False, id="grid.right"),
        Binding("pageup", "page(-1)", "page up", show=False, id="grid.page-up"),
        Binding("pagedown", "page(1)", "page down", show=False, id="grid.page-down"),
        Binding("home", "edge(-1)", "row start, then top", show=False, id="grid.home"),
        Binding("end", "edge(1)", "row end, then bottom", show=False, id="grid.end"),
        Binding("ctrl+home", "corner(-1)", "first cell", show=False, id="grid.first"),
        Binding("ctrl+end", "corner(1)", "last cell", show=False, id="grid.last"),
    ]

    cursor: var[tuple[int, int]] = var((0, 0), init=False)
    heated: var[bool] = var(True, init=False)

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._matrix: Tensor | None = None
        self._dims = 0
        self._rows, self._columns = range(0), range(0)
        self._format: NumberFormat | None = None
        self._scale = 0.0
        self._gutter = self._header = 0
        self.cell_width = 1
        """Cells of the terminal that one column takes, the gap to the next included."""

    # What is shown.

    def show(
        self,
        tensor: Tensor,
        labels: Sequence[range] | None = None,
        cursor: Sequence[int] | None = None,
    ) -> None:
        """Show `tensor`, of at most two dimensions, or an empty one of any.

        `labels` are the positions written along its dimensions, 0, 1, … by default.
        `cursor` is the cell to be on, the one it was on by default.
        """
        labels = labels if labels is not None else [range(n) for n in tensor.shape]
        self._dims = tensor.dim()
        rows, columns = ([range(1), range(1), *labels] if tensor.numel() else [range(0)] * 2)[-2:]
        self._rows, self._columns = rows, columns
        self._matrix = tensor.detach().reshape(len(rows), len(columns)) if tensor.numel() else None
        self._measure(tensor)
        self._lay_out()
        self.set_reactive(TensorGrid.cursor, self.validate_cursor(self._place(cursor)))
        self._follow()
        self.refresh()

    def _measure(self, tensor: Tensor) -> None:
        from ..numbers import choose_format
        from ..statistics import sample

        seen = sample(tensor, SAMPLE)
        self._format = choose_format(seen, whole=tensor.numel() <= SAMPLE)
        sizes = seen.abs().double() if seen.is_complex() else seen.double().abs()
        finite = sizes[sizes.isfinite()]
        self._scale = finite.max().item() if finite.numel() else 0.0

    def _lay_out(self) -> None:
        self._header = 1 if self._dims and self._matrix is not None else 0
        self._gutter = len(str(self._rows[-1])) + 1 if self._dims == 2 and self._rows else 0
        label = len(str(self._columns[-1])) if self._header and self._columns else 1
        number = self._format.width if self._format is not None else 1
        self.cell_width = max(number, label) + 1 + self._marked
        width = self._gutter + len(self._columns) * self.cell_width
        self.extend(width, self._header + len(self._rows))

    def _place(self, cursor: Sequence[int] | None) -> tuple[int, int]:
        if cursor is None:
            return self.cursor
        row, column = [0, 0, *cursor][-2:]
        return row, column

    @property
    def _marked(self) -> bool:
        """Whether the heat map is drawn in marks, for want of colours."""
        return self.heated and (self.app.no_color or self.app.native_ansi_color)

    @property
    def _ramp(self) -> Ramp:
        return ramp_of(self.palette)

    @property
    def index(self) -> tuple[int, ...]:
        """The cursor's cell, one position for each dimension of the tensor."""
        return self.cursor[2 - min(2, self._dims) :]

    # Moving.

    def validate_cursor(self, cursor: tuple[int, int]) -> tuple[int, int]:
        row, column = cursor
        last_row, last_column = len(self._rows) - 1, len(self._columns) - 1
        return max(0, min(last_row, row)), max(0, min(last_column, column))

    def watch_cursor(self, before: tuple[int, int], after: tuple[int, int]) -> None:
        if not self._follow():
            for row in {before[0], after[0]}:
                y = row - self.scroll_offset.y + self._header
                self.refresh(Region(0, y, self.size.width, 1))

    def _room(self) -> tuple[int, int]:
        """How many rows and columns are in sight whole."""
        columns = (self.line_width - self._gutter) // self.cell_width
        return max(1, self.size.height - self._header), max(1, columns)

    def _follow(self) -> bool:
        """Scroll as little as needed for the cursor to be in sight; whether that was needed."""
        if not self.size:
            return False
        (row, column), (rows, columns) = self.cursor, self._room()
        left, top = self.scroll_offset
        first = -(-left // self.cell_width)
        y = min(max(top, row - rows + 1), row)
        x = min(max(first, column - columns + 1), column) * self.cell_width
        if first * self.cell_width == x:
            x = left
        if (x, y) == (left, top):
            return False
        self.scroll_to(x, y, animate=False)
        return True

    def action_move(self, rows: int, columns: int) -> None:
        """Move the cursor by so many cells."""
        self.cursor = (self.cursor[0] + rows, self.cursor[1] + columns)

    def action_page(self, direction: int) -> None:
        """Move by as many rows as are in sight; along a vector, by as many columns."""
        rows, columns = self._room()
        if len(self._rows) > 1:
            self.action_move(direction * rows, 0)
        else:
            self.action_move(0, direction * columns)

    def action_edge(self, direction: int) -> None:
        """Go to the start or end of the row, and from there to the first or last row."""
        row, column = self.cursor
        edge = 0 if direction < 0 else len(self._columns) - 1
        if column == edge:
            row = 0 if direction < 0 else len(self._rows) - 1
        self.cursor = (row, edge)

    def action_corner(self, direction: int) -> None:
        """Go to the first or last cell."""
        self.cursor = (0, 0) if direction < 0 else (len(self._rows) - 1, len(self._columns) - 1)

    def watch_heated(self) -> None:
        self._lay_out()
        self.refresh()

    def on_mount(self) -> None:
        self.app.theme_changed_signal.subscribe(self, lambda _theme: self.watch_heated())

    def on_resize(self) -> None:
        self._follow()

    def on_click(self, event: Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None or self._matrix is None:
            return
        row = offset.y - self._header + self.scroll_offset.y
        column = (offset.x - self._gutter + self.scroll_offset.x) // self.cell_width
        inside = offset.y >= self._header and offset.x >= self._gutter
        if inside and row < len(self._rows) and column < len(self._columns):
            self.cursor = (row, column)

    # Painting.

    def render_line(self, y: int) -> Strip:
        width = self.line_width
        left, top = self.scroll_offset
        if self._matrix is None:
            text = "" if y or self._format is None else "empty: no elements"
            return self._finish([Segment(text, self._ramp.label)], y)
        row = top + y - self._header
        if y >= self._header and row >= len(self._rows):
            return Strip.blank(self.size.width, self.base)
        room = max(0, width - self._gutter)
        first = left // self.cell_width
        last = min(len(self._columns), -(-(left + room) // self.cell_width))
        gutter, cells = self._line(-1 if y < self._header else row, first, last)
        shift = left - first * self.cell_width
        if last - first > 1:
            # Half a number would be read as another number.
            if shift:
                cells[0] = Segment("…".rjust(self.cell_width), cells[0].style)
            if last * self.cell_width > left + room:
                cells[-1] = Segment("…".ljust(self.cell_width), cells[-1].style)
        body = Strip(cells).crop(shift, shift + room)
        strip = self._finish([gutter, *body], y)
        return self._selectable(strip, 0 if y < self._header else row + self._header, left)

    def _finish(self, segments: Sequence[Segment], y: int) -> Strip:
        line = Strip(segments).apply_style(self.base)
        line = line.adjust_cell_length(self.line_width, self.base)
        return Strip([*line, self.bar[y in self.thumb()]], self.size.width)

    def _line(self, row: int, first: int, last: int) -> tuple[Segment, list[Segment]]:
        """The label of a row and its cells from `first` to before `last`; -1 is the header."""
        muted, width = self._ramp.label, self.cell_width
        if row < 0:
            labels = (
                Segment(f"{self._columns[c]:>{width - 1}} ", muted) for c in range(first, last)
            )
            return Segment(" " * self._gutter), list(labels)
        label = f"{self._rows[row]:>{self._gutter - 1}} " if self._gutter else ""
        return Segment(label, muted), list(self._cells(row, first, last))

    def _cells(self, row: int, first: int, last: int) -> Iterator[Segment]:
        assert self._matrix is not None
        assert self._format is not None
        ramp, marked, width = self._ramp, self._marked, self.cell_width
        text_of, scale, coloured = self._format.text, self._scale, self.heated and not marked
        at = self.cursor[1] if row == self.cursor[0] else -1
        for column, value in enumerate(self._matrix[row, first:last].tolist(), first):
            heat = level(value, scale)
            text = text_of(value)
            if marked:
                text = mark(heat) + text.rjust(width - 2)
            style = ramp.cell(value, heat, coloured)
            if column == at:
                style += ramp.cursor(self.has_focus)
            yield Segment(f"{text:>{width - 1}} ", style)

    # Selecting with the mouse.

    def _selectable(self, strip: Strip, line: int, left: int) -> Strip:
        """The strip with its place for the mouse, and with what is selected lit up."""
        selection = self.text_selection
        span = selection.get_span(line) if selection is not None else None
        if span is not None:
            start, end = (max(0, x - left) for x in (span[0], span[1] if span[1] >= 0 else 1 << 40))
            width = strip.cell_length
            before, lit, after = strip.divide([min(start, width), min(end, width), width])
            style = self.screen.get_component_rich_style("screen--selection")
            strip = Strip.join([before, lit.apply_style(Style(bgcolor=style.bgcolor)), after])
        return strip.apply_offsets(left, line)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """The selected cells as text, at most `COPIED_CELLS` of them."""
        if self._matrix is None:
            return None
        start, end = selection
        last = self._header + len(self._rows) - 1
        top = start.y if start is not None else 0
        bottom = min(end.y if end is not None else last, last)
        columns = min(len(self._columns), COPIED_CELLS)
        bottom = min(bottom, top + COPIED_CELLS // max(1, columns))
        lines = []
        for line in range(top, bottom + 1):
            gutter, cells = self._line(line - self._header, 0, columns)
            text = "".join(segment.text for segment in (gutter, *cells))
            first, after = selection.get_span(line) or (0, 0)
            lines.append(text[first : after if after >= 0 else None].rstrip())
        return "\n".join(lines), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        self.refresh()
