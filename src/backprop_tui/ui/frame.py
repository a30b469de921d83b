"""What the panes show of a trace, at a step of it.

`Frame` knows nothing about how one gets there: `travel.Travel` goes there, `moves.Moves` binds
the keys, `seek.Seek` runs to breakpoints, `checking.Checking` judges meanwhile, `desk.Desk`
takes things out, and `debugger.Debugger` puts them together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on

from . import cursor, rows, standing
from .arrangement import VALUE_PANES, Arrangement
from .charts import GradientNorms, LossCurve
from .inspector import Inspector
from .kin import operands
from .panes.findings import FindingsPane
from .panes.now import NowLine
from .panes.source import SourcePane
from .panes.status import Status, StatusLine
from .panes.steps import StepsPane
from .panes.values import ValuePane
from .render import precise

if TYPE_CHECKING:
    from torch import Tensor

    from ..session import Session
    from ..steps import Step, Trace


class Frame(Arrangement):
    """The panes, filled."""

    def __init__(self, title: str, intro: str = "") -> None:
        super().__init__(title, intro)
        self.debugged = title
        self.session: Session | None = None
        self.trace: Trace | None = None
        self.cursor = 0
        self.looked_at = ""
        """The row (see `rows.Row.key`) of the value that the inspector shows."""
        self._folded_values: set[str] = set()

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

    def _follow_phase(self, phase: str) -> None:
        """Where only one pane of values is in sight, let it be the one that is being filled."""
        if self.tab in VALUE_PANES:
            self._show_tab("forward" if phase in ("forward", "loss") else "manual")

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
