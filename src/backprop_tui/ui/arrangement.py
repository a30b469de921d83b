"""The panes: which there are, how they share the terminal, and which one is asked for."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.notifications import SeverityLevel
from textual.screen import Screen
from textual.widget import Widget

from .charts import GradientNorms, LossCurve
from .inspector import Inspector
from .panes.findings import FindingsPane
from .panes.keys import KeyLine
from .panes.now import NowLine
from .panes.source import SourcePane
from .panes.status import Status, StatusLine
from .panes.steps import StepsPane
from .panes.tabs import PaneTabs
from .panes.values import ValuePane
from .panes.watches import WatchPane

PANES = ("steps", "forward", "manual", "autograd", "source", "inspector", "findings")
PANE = Binding.Group("pane")
BESIDE_STEPS = ("steps", "findings")
"""The panes that are in sight whatever the tab."""
VALUE_PANES = ("forward", "manual", "autograd")
FORWARD_HELP = (
    "What goes in and what the model computes from it, up to the loss. Space folds a tensor "
    "into one line; ▏ marks what the current line reads."
)
MANUAL_HELP = (
    "Every gradient by hand, carried all the way from the loss, then the update. At the right "
    "edge stands how it compares with autograd's tensor at the same height."
)
AUTOGRAD_HELP = "What loss.backward() and optimizer.step() computed, beside its twin by hand."

HINT = 3.0  # seconds: what is shown no longer is a hint


class Arrangement(Screen[None]):
    """Panes, placed by the size of the terminal, behind tabs where it is small."""

    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012
        (0, "-tiny"),
        (46, "-narrow"),
        (100, "-wide"),
        (176, "-ultra"),
    ]
    VERTICAL_BREAKPOINTS = [  # noqa: RUF012
        (0, "-flat"),
        (11, "-low"),
        (28, "-tall"),
    ]
    CSS_PATH = "styles.tcss"
    HELP_CHAPTER = (3, "Panes")
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(
                str(number),
                f"focus_pane('{pane}')",
                pane,
                show=False,
                id=f"pane.{pane}",
                group=PANE,
            )
            for number, pane in enumerate(PANES, 1)
        ),
        Binding("tab", "app.focus_next", "next pane", show=False, id="pane.next"),
        Binding("shift+tab", "app.focus_previous", "previous pane", show=False, id="pane.previous"),
        Binding(
            "z", "zoom", "zoom", False, tooltip="give this pane the whole screen", id="view.zoom"
        ),
        Binding(
            "v", "charts", "charts", False, tooltip="loss curve and gradients", id="view.charts"
        ),
    ]

    def __init__(self, title: str, intro: str = "") -> None:
        super().__init__(id="debugger")
        self.intro = intro
        self.tab = "forward"
        self._status = Status(title)
        self._brief = False  # whether what was said last is only a hint

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = False,
    ) -> None:
        """Say a word in the corner. What comes after a hint takes its place: hints do not pile."""
        if self._brief:
            self.app.clear_notifications()
        self._brief = timeout is not None and timeout <= HINT
        super().notify(message, title=title, severity=severity, timeout=timeout, markup=markup)

    def compose(self) -> ComposeResult:
        yield StatusLine(self._status, id="status")
        with Container(id="body"):
            with Vertical(id="steps-cell"):
                yield StepsPane(id="steps")
                yield FindingsPane(id="findings")
                yield WatchPane(id="watches")
            yield PaneTabs(id="tabs")
            yield ValuePane("2 forward", FORWARD_HELP, id="forward")
            yield ValuePane("3 manual", MANUAL_HELP, id="manual")
            yield ValuePane("4 autograd", AUTOGRAD_HELP, id="autograd")
            yield SourcePane(id="source")
            yield Inspector(id="inspector")
            with Vertical(id="charts") as charts:
                charts.border_title = "charts"
                yield LossCurve(id="losses")
                yield GradientNorms(id="norms")
            yield NowLine(id="now")
        yield KeyLine(id="keys")

    def on_mount(self) -> None:
        self.query_one(SourcePane).explain(self.intro)
        manual, auto = self._values("manual"), self._values("autograd")
        self.watch(manual, "scroll_y", lambda y: auto.scroll_to(y=y, animate=False), init=False)
        self.watch(auto, "scroll_y", lambda y: manual.scroll_to(y=y, animate=False), init=False)
        self._show_tab("forward")
        self.query_one(StepsPane).focus()

    def _values(self, pane: str) -> ValuePane:
        return self.query_one(f"#{pane}", ValuePane)

    def _show_tab(self, pane: str) -> None:
        focused_inside = self.focused is not None and self._pane_of(self.focused) == self.tab
        self.tab = pane
        for widget in self.query("#body > *"):
            widget.set_class(widget.id in (pane, f"{pane}-cell"), "-tab")
        self.query_one(PaneTabs).show(pane)
        if focused_inside:
            self._focus_in(pane)

    def _pane_of(self, widget: Widget) -> str:
        for node in widget.ancestors_with_self:
            name = (node.id or "").removesuffix("-cell")
            if name in (*PANES, "charts"):
                return name
        return ""

    def _focus_in(self, pane: str) -> None:
        """Focus a pane, or the first thing in it that can be focused."""
        if pane == "inspector":
            inside = [w for w in self.query_one(Inspector).walk_children(Widget) if w.focusable]
        else:
            inside = [self.query_one("#code" if pane == "source" else f"#{pane}", Widget)]
        for widget in inside[:1]:
            if widget.focusable:
                self.set_focus(widget)  # at once, so that the next key is its own already
            else:
                widget.focus()  # once its tab is in sight

    def action_focus_pane(self, pane: str) -> None:
        """Go to a pane, bringing it into sight."""
        if pane not in BESIDE_STEPS:
            self._show_tab(pane)
        if pane == "inspector" or (pane not in BESIDE_STEPS and self.has_class("-narrow")):
            self.remove_class("-charts")  # they stand in its place
        if self.has_class("-zoomed"):
            self._zoom(pane)
        self._focus_in(pane)

    @on(PaneTabs.Chosen)
    def _tab_chosen(self, message: PaneTabs.Chosen) -> None:
        self.action_focus_pane(message.pane)

    def action_zoom(self) -> None:
        """Give the focused pane the whole screen, or give it back."""
        if self.has_class("-zoomed"):
            self._zoom("")
        elif self.focused is not None and (pane := self._pane_of(self.focused)):
            self._zoom(pane)

    def _zoom(self, pane: str) -> None:
        self.set_class(bool(pane), "-zoomed")
        for widget in self.query("#body > *"):
            widget.set_class(bool(pane) and widget.id in (pane, f"{pane}-cell"), "-zoom")

    def action_charts(self) -> None:
        """Show or hide the loss curve and the gradient norms."""
        self.toggle_class("-charts")
