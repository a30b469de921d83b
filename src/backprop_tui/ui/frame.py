"""The screen's frame: which panes there are, how they share the room, and what they show.

`Frame` knows a trace and a step of it, and nothing about how one gets there:
`travel.Travel` goes there, `moves.Moves` binds the keys, `seek.Seek` runs to breakpoints,
`checking.Checking` judges meanwhile, `desk.Desk` takes things out, and `debugger.Debugger`
puts them together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.notifications import SeverityLevel
from textual.screen import Screen
from textual.widget import Widget

from . import cursor, rows, standing
from .charts import GradientNorms, LossCurve
from .inspector import Inspector
from .kin import operands
from .panes.findings import FindingsPane
from .panes.keys import KeyLine
from .panes.now import NowLine
from .panes.source import SourcePane
from .panes.status import Status, StatusLine
from .panes.steps import StepsPane
from .panes.tabs import PaneTabs
from .panes.values import ValuePane
from .panes.watches import WatchPane
from .render import precise

if TYPE_CHECKING:
    from torch import Tensor

    from ..session import Session
    from ..steps import Step, Trace

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


class Frame(Screen[None]):
    """Panes, placed by the size of the terminal and filled from a trace at a step."""

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
        self.debugged = title
        self.intro = intro
        self.session: Session | None = None
        self.trace: Trace | None = None
        self.cursor = 0
        self.tab = "forward"
        self.looked_at = ""
        """The row (see `rows.Row.key`) of the value that the inspector shows."""
        self._folded_values: set[str] = set()
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

    # What is shown.

    def show(self, trace: Trace, step: int) -> None:
        """Show a trace at a step of it (-1 for its last)."""
        fresh = trace is not self.trace
        step = max(0, min(step if step >= 0 else len(trace.steps) - 1, len(trace.steps) - 1))
        before = self.trace.steps[self.cursor].phase if self.trace else ""
        self.trace, self.cursor = trace, step
        if fresh:
            self._lay_out(trace)
            self._show_charts(trace)
        if trace.steps[step].phase != before:
            self._follow_phase(trace.steps[step].phase)
        self._paint(trace, step)

    def _lay_out(self, trace: Trace) -> None:
        """Give the value panes their rows; the parameters are folded until one asks for them."""
        if not self._folded_values:
            self._folded_values = {"", *(f"given:{g.name}" for g in trace.given if g.detail)}
        folded = self._folded_values
        self._values("forward").fill(rows.lay_out(rows.forward_rows(trace), folded), folded)
        by_hand, by_torch = rows.lay_out_pair(*rows.paired_rows(trace), folded)
        self._values("manual").fill(by_hand, folded)
        self._values("autograd").fill(by_torch, folded)

    def _paint(self, trace: Trace, step: int) -> None:
        now = trace.steps[step]
        reads = operands(trace, step)
        self.query_one(StepsPane).show(trace, step)
        for pane in VALUE_PANES:
            key = f"twin:{step}" if pane == "autograd" else f"step:{step}"
            self._values(pane).show(trace, step, key, reads)
        self.query_one(SourcePane).show(now, trace.groups[now.group])
        self.query_one(NowLine).show(now)
        self._inspect_step()
        self._show_status()

    def _inspect_step(self) -> None:
        """Show the current step's value in the inspector."""
        assert self.trace is not None
        self.looked_at = f"step:{self.cursor}"
        now = self.trace.steps[self.cursor]
        twin = now.twin
        if twin is None:
            self.inspect(now.label, now.value, step=now)
        else:
            self.inspect(now.label, now.value, twin.label, twin.value, now)

    def inspect(
        self,
        name: str,
        value: Tensor,
        twin_label: str | None = None,
        twin: Tensor | None = None,
        step: Step | None = None,
    ) -> None:
        """Show any tensor in the inspector."""
        self.query_one(Inspector).show(name, value, twin_label, twin, step)

    def show_text(self, title: str, text: str) -> None:
        """Show words in the inspector's place: a printout, a value, an error."""
        self.query_one(Inspector).show_text(title, text)

    def _show_charts(self, trace: Trace) -> None:
        assert self.session is not None
        self.query_one(LossCurve).update_losses(dict(self.session.losses), trace.iteration)
        self.query_one(GradientNorms).update_norms(standing.gradient_norms(trace))
        self.query_one(FindingsPane).show(self.session.findings(trace))

    @on(FindingsPane.Chosen)
    def _finding_chosen(self, message: FindingsPane.Chosen) -> None:
        """Go to the op of a finding, with its line in the source and its words in the inspector."""
        finding, trace = message.finding, self.trace
        assert trace is not None and self.session is not None
        at = cursor.step_of_call(trace, self.session.call_of(finding, trace))
        if at is not None:
            self.show(trace, at)
        if finding.source is not None:
            self.query_one(SourcePane).point(finding.source.file, finding.source.line)
        self._show_tab("inspector")
        self.show_text(f"{finding.severity.glyph} {finding.kind}", str(finding))

    def _show_status(self) -> None:
        assert self.trace is not None and self.session is not None
        trace, at = self.trace, self.cursor
        phase, done, of = cursor.phase_progress(trace, at)
        fault = standing.fault_so_far(trace, at)
        findings = self.session.findings(trace)
        wrong = next((f.kind for f in findings if f.severity != "note"), "")
        self._status = Status(
            trace.title,
            trace.iteration,
            self.session.iterations,
            phase,
            done,
            of,
            at + 1,
            len(trace.steps),
            precise(trace.loss) if phase != "forward" else "…",
            tuple((v.value, v.glyph, n) for v, n in standing.tally(trace, at).items()),
            wrong or (fault[1] if fault else ""),
        )
        self.query_one(StatusLine).show(self._status)

    # Where the panes are.

    def _follow_phase(self, phase: str) -> None:
        """Where only one pane of values is in sight, let it be the one that is being filled."""
        if self.tab in VALUE_PANES:
            self._show_tab("forward" if phase in ("forward", "loss") else "manual")

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

    @on(ValuePane.Selected)
    def _value_selected(self, message: ValuePane.Selected) -> None:
        row = message.row
        if row.value is None or self.trace is None:
            return
        if row.at > self.cursor:
            self.notify(f"{row.label} is not computed yet", timeout=2)
            return
        self.looked_at = row.key
        step = self.trace.steps[row.at] if row.at >= 0 else None
        if row.key.startswith("step:") and step is not None and step.twin is not None:
            self.inspect(row.label, row.value, step.twin.label, step.twin.value, step)
        elif row.key.startswith("twin:") and step is not None:
            self.inspect(row.label, row.value, step.label, step.value, None)
        else:
            self.inspect(row.label, row.value, None, None, step)
        if message.inspect:
            self.action_focus_pane("inspector")

    @on(ValuePane.Folded)
    def _value_folded(self, message: ValuePane.Folded) -> None:
        assert self.trace is not None
        self._folded_values ^= {message.key}
        self._lay_out(self.trace)
        for pane in VALUE_PANES:
            self._values(pane).repaint()
