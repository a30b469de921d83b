"""Small charts: the loss over the iterations, gradient norms as bars, histograms as strips."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Static

from .panes.lines import LinePane
from .render import BARS, precise
from .theme import Palette, palette_of

if TYPE_CHECKING:
    from textual_plot import PlotWidget

EIGHTHS = " ▏▎▍▌▋▊▉"
SMALLEST_PLOT = (30, 8)
"""Width and height below which the curve is a strip of blocks."""

POINTS = 400
"""A curve of more points is thinned: a terminal has no more columns."""


def strip(counts: Sequence[float]) -> str:
    """A histogram as one line of blocks; a bin that is not empty is never blank."""
    top = max(counts, default=0)
    return "".join(BARS[math.ceil(c / top * (len(BARS) - 1))] if c else " " for c in counts)


def bar(fraction: float, width: int) -> str:
    """A bar of `width` cells, filled to an eighth of a cell; what is not zero shows."""
    eighths = max(round(fraction * width * 8), 1 if fraction > 0 else 0)
    whole, rest = divmod(eighths, 8)
    return ("█" * whole + (EIGHTHS[rest] if rest else "")).ljust(width)


def resample(values: Sequence[float], width: int) -> list[float]:
    """As many of `values` as fit `width`, evenly spread, the first and the last among them."""
    if len(values) <= width:
        return list(values)
    if width < 2:
        return list(values[-width:]) if width else []
    return [values[round(k * (len(values) - 1) / (width - 1))] for k in range(width)]


class LossCurve(Widget, can_focus=True):
    """The loss of every iteration that was visited, and where one stands."""

    HELP: ClassVar[str] = "The loss over the iterations visited; the mark is where you stand."
    DEFAULT_CSS = """
    LossCurve { layout: vertical; height: 1fr; }
    LossCurve > #loss-now { height: 1; text-wrap: nowrap; }
    LossCurve > #loss-strip { height: 1fr; text-wrap: nowrap; }
    LossCurve > PlotWidget { height: 1fr; display: none; }
    LossCurve > PlotWidget > .plot--axis { color: $panel-lighten-2; }
    LossCurve > PlotWidget > .plot--tick { color: $foreground-muted; text-style: none; }
    LossCurve.-plot > PlotWidget { display: block; }
    LossCurve.-plot > #loss-strip { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("L", "logarithmic", "logarithmic", show=False, id="losses.logarithmic"),
    ]

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._losses: dict[int, float] = {}
        self._current = 0
        self._logarithmic = False
        self._drawn: object = None
        self._plot: PlotWidget | None = None

    def compose(self) -> ComposeResult:
        yield Static(id="loss-now")
        yield Static(id="loss-strip")

    def update_losses(self, losses: Mapping[int, float], current: int) -> None:
        """Show the losses, by iteration; NaN and inf are counted in the heading, not drawn."""
        self._losses = dict(sorted(losses.items()))
        self._current = current
        self._draw()

    def on_mount(self) -> None:
        self.app.theme_changed_signal.subscribe(self, lambda _theme: self._draw())

    def on_resize(self) -> None:
        self._draw()

    def on_show(self) -> None:
        self._draw()

    def action_logarithmic(self) -> None:
        """Switch the loss axis between linear and logarithmic."""
        self._logarithmic = not self._logarithmic
        self._draw()

    @property
    def _palette(self) -> Palette:
        return palette_of(self.app.theme, self.app.current_theme.dark)

    def _draw(self) -> None:
        """Draw what changed, where there is room: a hidden chart costs nothing."""
        key = (tuple(self._losses.items()), self._current, self._logarithmic, self.app.theme)
        if not self.size or (key, self.size) == self._drawn:
            return
        self._drawn = (key, self.size)
        points = [p for p in self._losses.items() if self._drawable(p[1])]
        self.query_one("#loss-now", Static).update(self._heading(len(points)), layout=False)
        width, height = self.size
        plotted = len(points) > 1 and width >= SMALLEST_PLOT[0] and height >= SMALLEST_PLOT[1]
        self.set_class(plotted, "-plot")
        if plotted and self._plot is None:
            self.call_later(self._add_plot)
        elif plotted and self._plot is not None:
            self._draw_plot(self._plot, points)
        else:
            self.query_one("#loss-strip", Static).update(self._strip(points), layout=False)

    def _drawable(self, loss: float) -> bool:
        return math.isfinite(loss) and (loss > 0 or not self._logarithmic)

    def _heading(self, drawn: int) -> Text:
        palette = self._palette
        text = Text("loss ", palette.muted)
        loss = self._losses.get(self._current)
        text.append(precise(loss) if loss is not None else "…", f"bold {palette.bright}")
        text.append(f"  iteration {self._current}", palette.muted)
        if self._logarithmic:
            text.append("  log₁₀", palette.muted)
        if missing := len(self._losses) - drawn:
            why = "not drawn" if self._logarithmic else "not finite"
            text.append(f"  {missing} {why}", palette.bad)
        return text

    def _strip(self, points: Sequence[tuple[int, float]]) -> Text:
        losses = resample([loss for _, loss in points], self.size.width)
        if not losses:
            return Text()
        low = min(losses) if len(losses) > 1 else 0.0
        levels = [loss - low + (max(losses) - low) / len(BARS) for loss in losses]
        return Text(strip([level or 1.0 for level in levels]), self._palette.formula)

    async def _add_plot(self) -> None:
        # Imported here: it brings numpy, which would delay the first frame by 80 ms.
        from textual_plot import PlotWidget

        plot = PlotWidget(allow_pan_and_zoom=False)
        plot.can_focus = False
        await self.mount(plot)
        plot.margin_top, plot.margin_bottom, plot.margin_left = 0, 1, 9
        self._plot, self._drawn = plot, None
        self._draw()

    def _draw_plot(self, plot: PlotWidget, points: Sequence[tuple[int, float]]) -> None:
        from textual_plot import HiResMode

        palette = self._palette
        shown = dict(points)
        x = resample(list(shown), POINTS)
        scale = math.log10 if self._logarithmic else float
        plot.clear()
        plot.plot(
            x, [scale(shown[int(n)]) for n in x], palette.formula, hires_mode=HiResMode.BRAILLE
        )
        if self._current in shown:
            here = [scale(shown[self._current])]
            plot.scatter([self._current], here, marker="●", marker_style=palette.accent)
        # Its canvases learn their size from the layout, which a resize has yet to make.
        self.call_after_refresh(plot.refresh, layout=True)


class GradientNorms(LinePane):
    """The norm of autograd's gradient of each parameter, as a bar and a number."""

    HELP = "The norm of each parameter's gradient, by autograd, beside the largest of them."

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._norms: list[tuple[str, float]] = []
        self._top = 0.0

    def update_norms(self, norms: Mapping[str, float]) -> None:
        """Show one bar per parameter, in the order given."""
        self._norms = list(norms.items())
        self._top = max((n for _, n in self._norms if math.isfinite(n)), default=0.0)
        self.forget()

    def line_count(self) -> int:
        return len(self._norms)

    def line_key(self, line: int) -> Hashable:
        return (*self._norms[line], self._top)

    def line_text(self, line: int, width: int) -> Text:
        name, norm = self._norms[line]
        palette = self.palette
        longest = min(max(len(name) for name, _ in self._norms), max(4, width // 3))
        if len(name) > longest:
            name = f"…{name[1 - longest :]}"
        number = f"{norm:.4g}"
        room = width - longest - len(number) - 2
        text = Text(f"{name:<{longest}} ", palette.text)
        if not math.isfinite(norm):
            return text.append("NaN" if norm != norm else "∞", f"bold {palette.bad}")
        if room >= 3:
            text.append(bar(norm / self._top if self._top else 0.0, room), palette.formula)
            text.append(" ")
        return text.append(number, palette.muted)
