"""One tensor on the screen: its grid, the element under the cursor, its terms and statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.timer import Timer
from textual.widget import Widget
from textual.worker import get_current_worker

from ..slices import View, as_matrix, default_view
from . import readout
from .grid import TensorGrid
from .painted import TextLine, retitle
from .prompt import Prompt
from .render import shape_of
from .subject import Subject, dense, expander_of
from .theme import Palette, palette_of
from .words import Words

if TYPE_CHECKING:
    from torch import Tensor

    from ..expand import Expander
    from ..statistics import Statistics
    from ..steps import Step

AT_ONCE = 32_768
"""Statistics of more elements start as a sample, and are completed in a worker."""

PAUSE = 0.2
"""Seconds on one large tensor before the worker starts: stepping past it costs nothing."""

BESIDE = 64
"""From this width on the terms stand beside the grid, not below it."""


class Viewer(Widget):
    """Shows any tensor: the element under the cursor, the grid, its terms, its statistics."""

    DEFAULT_CSS = """
    Viewer { layout: vertical; }
    Viewer > #parts { height: 1fr; layout: vertical; }
    Viewer #words { height: 1fr; width: 1fr; display: none; }
    Viewer.-words #words { display: block; }
    Viewer.-beside > #parts { layout: horizontal; }
    Viewer.-beside #cells { margin: 0 2 0 0; }
    Viewer.-low > #summary { display: none; }
    Viewer.-roomy > #parts { margin: 1 0; }
    Viewer.-text > #summary, Viewer.-text #cells { display: none; }
    Viewer.-text #words { display: block; }
    """

    BORDER_TITLE = "6 inspector"

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
        self._step: Step | None = None
        self._expander: Expander | None = None
        self._pending: Timer | None = None
        self._fitted: str | int = "1fr"
        self._headline, self._summary = TextLine(id="headline"), TextLine(id="summary")
        self._grid, self._words = TensorGrid(id="cells"), Words(id="words")
        self._prompt = Prompt(id="prompt")

    def compose(self) -> ComposeResult:
        yield self._headline
        yield Horizontal(self._grid, self._words, id="parts")
        yield self._summary
        yield self._prompt

    def on_mount(self) -> None:
        self._headline.show_text(Text("nothing to inspect yet", self._palette.muted))
        self.app.theme_changed_signal.subscribe(self, lambda _theme: self._tell())
        # Watched, where a message would come a frame later than the cursor.
        self.watch(self._grid, "cursor", self._tell_cell, init=False)

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
        self._subject = Subject(name, dense(value), twin_label or "twin", twin)
        self._step, self._expander = step, expander_of(step, value)
        self.remove_class("-text")
        self._prompt.close()
        view, cell, self._sliced = self._places.get(name, (None, (), False))
        if view is None or view.sizes != tuple(value.shape):
            view, cell, self._sliced = default_view(value.shape), (), False
        self._look(view, cell)

    def show_text(self, title: str, text: str) -> None:
        """Show words instead: a value that is no tensor, or an error."""
        self._subject = self._shown = self._statistics = self._step = self._expander = None
        self.add_class("-text")
        self._headline.show_text(Text(title, f"bold {self._palette.accent}"))
        lines = [Text(line, self._palette.text) for line in text.expandtabs().splitlines()]
        self._words.show(lines, wrapped=True)
        retitle(self, f"6 inspector · {title}")

    def _look(self, view: View, cell: tuple[int, ...] = ()) -> None:
        """Show a part of the subject, with the cursor on a cell of that part."""
        assert self._subject is not None
        self._view = as_matrix(view)
        self._shown = self._subject.difference() if self._different else self._subject.value
        self._grid.show(self._view.apply(self._shown), self._view.ranges(), cell)
        self._measure()
        self._tell()
        retitle(self, f"6 inspector · {self._name_of_view()}")

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

    # Telling.

    def _tell(self) -> None:
        """Write all the words anew: another subject, size or theme."""
        if self._subject is None:
            return
        self._tell_cell()
        if self._statistics is not None:
            told = self._right == "statistics"  # at length, beside the grid
            width, palette = self.size.width, self._palette
            text = Text() if told else readout.summary(self._statistics, width, palette)
            self._summary.show_text(text)

    def _tell_cell(self) -> None:
        """Write what depends on the cursor."""
        subject, palette = self._subject, self._palette
        if subject is None:
            return
        if not subject.value.numel():
            text = Text().append(subject.name, f"bold {palette.accent}")
            text.append(f" is empty: {shape_of(subject.value)}")
            self._headline.show_text(text)
        elif all(len(positions) for positions in self._view.ranges()):
            twin = subject.twin
            beside = (subject.twin_label, twin.detach()) if twin is not None else None
            room = self.size.width
            text = readout.headline(subject.name, subject.value, self._index, beside, room, palette)
            self._headline.show_text(text)
            self._places[subject.name] = (self._view, self._grid.index, self._sliced)
        self._tell_words()

    def _tell_words(self) -> None:
        """Fill the pane beside the grid, if there is anything to fill it with."""
        lines: list[Text] = []
        assert self._subject is not None
        if self._right == "statistics" and self._statistics is not None:
            lines = readout.panel(self._statistics, self._words.size.width or 60, self._palette)
        elif self._right == "terms" and self._step is not None:
            lines = self._terms(self._step, self._subject)
        # Of a step there is always something to say: stepping on moves nothing.
        room = bool(lines) or (self._right == "terms" and self._step is not None)
        if self.has_class("-words") != room:
            self.set_class(room, "-words")
            self._fit_grid()
        self._words.show(lines)

    def _terms(self, step: Step, subject: Subject) -> list[Text]:
        """The arithmetic of the cell under the cursor, or the line that no rule ran."""
        if self._expander is None:
            return [Text(step.formula, self._palette.formula)]
        if not subject.value.numel():
            return []
        return readout.terms(self._expander.expand(self._index), self._palette)

    def _fit_grid(self) -> None:
        """Share the room with the words, by its size alone: stepping from tensor to tensor
        moves nothing, and the screen need not be laid out anew."""
        height: str | int = "1fr"
        if self.has_class("-words") and not self.has_class("-beside"):
            height = max(2, (self.size.height - 1) // 2)
        if height != self._fitted:
            self._fitted = height
            self._grid.styles.height = height

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

    # Parts.

    @property
    def _palette(self) -> Palette:
        return palette_of(self.app.theme, self.app.current_theme.dark)
