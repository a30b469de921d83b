"""The inspector: one tensor, cell by cell, and where the cell under the cursor came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Static
from textual.worker import get_current_worker

from ..slices import View, as_matrix, default_view, neighbour, parse, parse_index, resolve
from . import readout
from .grid import TensorGrid
from .prompt import Prompt
from .render import shape_of
from .theme import Palette, palette_of
from .words import Words

if TYPE_CHECKING:
    from torch import Tensor

    from ..expand import Expander
    from ..statistics import Statistics
    from ..steps import Step

AT_ONCE = 65_536
"""Statistics of more elements start as a sample, and are completed in a worker."""

PAUSE = 0.2
"""Seconds on one large tensor before the worker starts: stepping past it costs nothing."""

BESIDE = 64
"""From this width on the terms stand beside the grid, not below it."""


@dataclass(frozen=True)
class Subject:
    """What is inspected."""

    name: str
    value: Tensor
    twin_label: str
    twin: Tensor | None

    @property
    def comparable(self) -> bool:
        """Whether the twin's elements stand for the same things."""
        return self.twin is not None and self.twin.shape == self.value.shape

    def difference(self) -> Tensor:
        """The value minus its twin; of truth values too."""
        import torch

        assert self.twin is not None
        one, other = self.value, self.twin.detach()
        if one.dtype == torch.bool:
            one = one.int()
        return one - (other.int() if other.dtype == torch.bool else other)


def _dense(value: Tensor) -> Tensor:
    """The value as a grid can read it."""
    import torch

    value = value.detach()
    return value if value.layout == torch.strided else value.to_dense()


def _expander_of(step: Step | None, value: Tensor) -> Expander | None:
    """What writes out the elements of a step's value, if a rule's line computed it."""
    if step is None or step.line is None or step.line.value.shape != value.shape:
        return None
    from ..expand import Expander

    return Expander(step.line, step.names)


class Inspector(Widget):
    """Shows any tensor: the element under the cursor, the grid, its terms, its statistics."""

    HELP: ClassVar[str] = (
        "One tensor, cell by cell, with the arithmetic behind the cell under the cursor."
    )
    DEFAULT_CSS = """
    Inspector { layout: vertical; }
    Inspector > Static { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    Inspector > #parts { height: 1fr; layout: vertical; }
    Inspector #words { height: 1fr; width: 1fr; display: none; }
    Inspector.-words #words { display: block; }
    Inspector.-beside > #parts { layout: horizontal; }
    Inspector.-beside #cells { margin: 0 2 0 0; }
    Inspector.-low > #summary { display: none; }
    Inspector.-roomy > #parts { margin: 1 0; }
    Inspector.-text > #summary, Inspector.-text #cells { display: none; }
    Inspector.-text #words { display: block; }
    """
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

    class Titled(Message):
        """What is inspected has a new name, for whoever draws the frame around it."""

        def __init__(self, title: str) -> None:
            self.title = title
            super().__init__()

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._subject: Subject | None = None
        self._view = View((), ())
        self._sliced = False
        self._places: dict[str, tuple[View, tuple[int, ...], bool]] = {}
        self._shown: Tensor | None = None
        self._differing = False
        self._right = "terms"
        self._statistics: Statistics | None = None
        self._expander: Expander | None = None
        self._title = ""
        self._pending: Timer | None = None
        self._fitted: tuple[str | int, str | int] = ("1fr", "1fr")

    def compose(self) -> ComposeResult:
        yield Static(id="headline")
        with Horizontal(id="parts"):
            yield TensorGrid(id="cells")
            yield Words(id="words")
        yield Static(id="summary")
        yield Prompt(id="prompt")

    def on_mount(self) -> None:
        self._line("headline", Text("nothing to inspect yet", self._palette.muted))
        self.app.theme_changed_signal.subscribe(self, lambda _theme: self._tell())

    def on_resize(self) -> None:
        width, height = self.size
        self.set_class(width >= BESIDE, "-beside")
        self.set_class(height < 4, "-low")
        self.set_class(height >= 14, "-roomy")
        self._fit_grid()
        self._tell()

    # What is shown.

    @property
    def selection(self) -> tuple[str, Tensor] | None:
        """What the copy keys take: the name and the tensor in view, None where it is text.

        A slice that was asked for and a difference are named as the expression they are.
        """
        if self._subject is None or self._shown is None:
            return None
        name, tensor = self._subject.name, self._shown
        if self._different:
            name = f"{name} - {self._subject.twin_label}"
        if not self._sliced:
            return name, tensor
        return (f"({name})" if self._different else name) + str(self._view), self._view.apply(
            tensor
        )

    def show(
        self,
        name: str,
        value: Tensor,
        twin_label: str | None = None,
        twin: Tensor | None = None,
        step: Step | None = None,
    ) -> None:
        """Show a tensor of any shape and dtype, its twin's element beside each of its own.

        With the step that computed it, the arithmetic of the cell under the cursor is
        written out. A name that was shown before, with the same shape, is shown at the
        same place again.
        """
        self._subject = Subject(name, _dense(value), twin_label or "twin", twin)
        self._expander = _expander_of(step, value)
        self.remove_class("-text")
        self._prompt.close()
        view, cell, self._sliced = self._places.get(name, (None, (), False))
        if view is None or view.sizes != tuple(value.shape):
            view, cell, self._sliced = default_view(value.shape), (), False
        self._look(view, cell)

    def show_text(self, title: str, text: str) -> None:
        """Show words instead: a value that is no tensor, or an error."""
        self._subject = self._shown = self._statistics = self._expander = None
        self.add_class("-text")
        self._line("headline", Text(title, f"bold {self._palette.accent}"))
        lines = [Text(line, self._palette.text) for line in text.expandtabs().splitlines()]
        self._words.show(lines, wrapped=True)
        self._entitle(title)

    def _look(self, view: View, cell: tuple[int, ...] = ()) -> None:
        """Show a part of the subject, with the cursor on a cell of that part."""
        assert self._subject is not None
        self._view = as_matrix(view)
        self._shown = self._subject.difference() if self._different else self._subject.value
        self._grid.show(self._view.apply(self._shown), self._view.ranges(), cell)
        self._measure()
        self._fit_grid()
        self._tell()
        self._entitle(self._name_of_view())

    @property
    def _different(self) -> bool:
        """Whether the grid holds the difference to the twin; a step without one has none."""
        return self._differing and self._subject is not None and self._subject.comparable

    @property
    def _index(self) -> tuple[int, ...]:
        """The cell under the cursor, in the whole tensor."""
        return self._view.index(self._grid.index)

    def _name_of_view(self) -> str:
        subject = self._subject
        assert subject is not None
        name = f"{subject.name} - {subject.twin_label}" if self._different else subject.name
        part = "" if self._view.everything else str(self._view)
        dtype = str(subject.value.dtype).removeprefix("torch.")
        return f"{name}{part} {shape_of(subject.value)} {dtype}"

    def _entitle(self, title: str) -> None:
        if title != self._title:
            self._title = title
            self.post_message(self.Titled(title))

    # Telling.

    def _tell(self) -> None:
        """Write what depends on the cursor, the size or the theme."""
        subject, palette = self._subject, self._palette
        if subject is None:
            return
        if not subject.value.numel():
            empty = Text(subject.name, f"bold {palette.accent}")
            self._line("headline", empty.append(f" is empty: {shape_of(subject.value)}"))
        elif all(len(positions) for positions in self._view.ranges()):
            index = self._index
            text = readout.element(subject.name, subject.value, index, palette)
            if subject.twin is not None:
                label, twin = subject.twin_label, subject.twin.detach()
                text.append(readout.twin_element(label, twin, subject.value, index, palette))
            self._line("headline", text)
            self._places[subject.name] = (self._view, self._grid.index, self._sliced)
        self._tell_words()
        if self._statistics is not None:
            width = self.size.width
            self._line("summary", readout.summary(self._statistics, width, palette))

    def _tell_words(self) -> None:
        """Fill the pane beside the grid, if there is anything to fill it with."""
        lines: list[Text] = []
        assert self._subject is not None
        if self._right == "statistics" and self._statistics is not None:
            lines = readout.panel(self._statistics, self._words.size.width or 60, self._palette)
        elif self._right == "terms" and self._expander is not None and self._subject.value.numel():
            lines = readout.terms(self._expander.expand(self._index), self._palette)
        if self.has_class("-words") != bool(lines):
            self.set_class(bool(lines), "-words")
            self._fit_grid()
        self._words.show(lines)

    def _line(self, which: str, text: Text) -> None:
        self.query_one(f"#{which}", Static).update(text, layout=False)

    def _fit_grid(self) -> None:
        """Give the grid what its cells need, and the words the rest."""
        needed, grid = self._grid.virtual_size, self._grid
        width: str | int = "1fr"
        height: str | int = "1fr"
        if self.has_class("-words") and self.has_class("-beside"):
            width = min(needed.width + 1, self.size.width * 3 // 5)
        elif self.has_class("-words"):
            height = max(2, min(needed.height + 1, (self.size.height - 2) // 2))
        if (width, height) != self._fitted:
            self._fitted = (width, height)
            grid.styles.width, grid.styles.height = width, height

    # Statistics.

    def _measure(self) -> None:
        """Take the statistics of what is in view, of something large in two goes."""
        from ..statistics import sampled_statistics

        assert self._shown is not None
        part = self._part()
        self._statistics = sampled_statistics(part, AT_ONCE)
        if self._pending is not None:
            self._pending.stop()
            self._pending = None
        self.workers.cancel_group(self, "statistics")
        if self._statistics.sampled:
            self._pending = self.set_timer(PAUSE, lambda: self._count(part))

    def _part(self) -> Tensor:
        """What the statistics are of: the whole, unless a slice was asked for."""
        assert self._shown is not None
        return self._view.apply(self._shown) if self._sliced else self._shown

    def _count(self, tensor: Tensor) -> None:
        from ..statistics import Stopped, statistics

        def work() -> None:
            worker = get_current_worker()
            try:
                found = statistics(tensor, stop=lambda: worker.is_cancelled)
            except Stopped:
                return
            self.app.call_from_thread(self._counted, tensor, found)

        self.run_worker(work, thread=True, exclusive=True, group="statistics")

    def _counted(self, tensor: Tensor, found: Statistics) -> None:
        if self._subject is not None and tensor.shape == self._part().shape:
            self._statistics = found
            self._tell()

    # Keys.

    @on(TensorGrid.CellChanged)
    def _cell_changed(self, message: TensorGrid.CellChanged) -> None:
        message.stop()
        self._tell()

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
    def _closed(self, message: Prompt.Closed) -> None:
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

    # Parts.

    @property
    def _palette(self) -> Palette:
        return palette_of(self.app.theme, self.app.current_theme.dark)

    @property
    def _grid(self) -> TensorGrid:
        return self.query_one(TensorGrid)

    @property
    def _words(self) -> Words:
        return self.query_one(Words)

    @property
    def _prompt(self) -> Prompt:
        return self.query_one(Prompt)
