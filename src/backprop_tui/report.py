"""A Report as text: the table of parameters, the ops that need a word, the verdict."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from .check import ParameterRow, Report, Step
from .compare import Verdict

_COLOURS = {"exact": "green", "rounding": "cyan", "amber": "yellow", "different": "red"}
_SHOWN = 200


def exit_code(report: Report) -> int:
    """0 when every gradient is verified, else 1."""
    return 0 if report.ok else 1


def render(report: Report) -> RenderableType:
    """The whole report."""
    tables = [table(step, number) for number, step in enumerate(report.steps, 1)]
    return Group(*tables, *summary(report))


def table(step: Step, number: int) -> Table:
    """Manual against autograd, a row for each leaf."""
    loss = "" if step.loss is None else f" · loss {step.loss:.6g}"
    grid = Table(title=f"step {number}{loss}", title_justify="left")
    for heading in ("parameter", "shape", "verdict"):
        grid.add_column(heading, no_wrap=True)
    for heading in ("ρ", "max abs", "max rel", "ulps"):
        grid.add_column(heading, justify="right", no_wrap=True)
    for row in step.parameters[:_SHOWN]:
        figures = [f"{item:.2g}" for item in (row.rho, row.max_abs, row.max_rel, row.ulps)]
        shape = "×".join(map(str, row.shape)) or "scalar"
        grid.add_row(Text(row.name), shape, badge(row.verdict, row.nonfinite), *figures)
    if len(step.parameters) > _SHOWN:
        grid.add_row(f"… {len(step.parameters) - _SHOWN} more")
    return grid


def summary(report: Report) -> Iterator[Text]:
    """The verdict, the culprit, and what could not be verified."""
    verdict = report.verdict
    count = len(report.steps)
    steps = f"{count} training step" + ("s" if count > 1 else "")
    said = "agree" if report.ok else "differ"
    if verdict in (Verdict.UNVERIFIED, Verdict.UNCHECKED):
        said = "cannot be compared everywhere"
    line = f"{verdict.glyph} {verdict}: manual and autograd {said} in {steps}"
    yield Text(line, _COLOURS.get(verdict, ""))
    culprit = report.worst
    if culprit is not None and not isinstance(culprit, ParameterRow):
        where = " ".join(filter(None, [culprit.module, culprit.source]))
        yield Text(f"first op at fault: {culprit.op} {where}".rstrip(), "red")
    coverage = report.coverage
    yield Text(f"rules: {coverage.ruled} of {coverage.total} ops that carry gradient")
    if coverage.missing:
        yield Text(f"no rule: {', '.join(coverage.missing)}", "yellow")
    if coverage.unseen:
        yield Text(f"unseen by the recorder: {', '.join(coverage.unseen)}", "yellow")
    if report.warning:
        yield Text(report.warning)


def badge(verdict: Verdict, nonfinite: int) -> Text:
    """``✓ exact``, and how many elements are not finite."""
    said = f" ({nonfinite} not finite)" if nonfinite else ""
    return Text(f"{verdict.glyph} {verdict}{said}", _COLOURS.get(verdict, ""))


