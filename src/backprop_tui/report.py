"""What a check found, as a whole: its verdict, its JSON, and its text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from .compare import Verdict
from .finding import Finding, Severity
from .report_rows import Coverage, OpRow, ParameterRow, Step, UpdateRow

_COLOURS = {"exact": "green", "rounding": "cyan", "amber": "yellow", "different": "red"}
_SEVERITY_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}
_SHOWN = 200

VERSION = 1
"""Of the JSON's shape; it grows when a field changes its meaning or goes."""

AGREED = (Verdict.EXACT, Verdict.ROUNDING)


@dataclass(frozen=True)
class Report:
    """What `check` found. ``print(report)`` shows it as a table.

    Attributes:
        steps: one for each backward pass, in the order in which they began.
        warning: what is to be said about all of it.
        findings: what is wrong with the training, where that was asked.
        updates: what the optimizers did.
    """

    steps: tuple[Step, ...]
    coverage: Coverage
    warning: str = ""
    findings: tuple[Finding, ...] = ()
    updates: tuple[UpdateRow, ...] = ()

    @property
    def parameters(self) -> tuple[ParameterRow, ...]:
        """The rows of all steps, one for each leaf that requires grad."""
        return tuple(row for step in self.steps for row in step.parameters)

    @property
    def ops(self) -> tuple[OpRow, ...]:
        """The rows of all steps, one for each op that carries gradient, in forward order."""
        return tuple(row for step in self.steps for row in step.ops)

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of any leaf, or of any op alone or update that is different."""
        found = [row.verdict for row in self.parameters]
        found += [row.isolated for row in self.ops if row.isolated is Verdict.DIFFERENT]
        found += [row.verdict for row in self.updates if row.verdict is Verdict.DIFFERENT]
        return max(found, key=lambda verdict: verdict.rank, default=Verdict.UNCHECKED)

    @property
    def ok(self) -> bool:
        """Whether every leaf's gradient is verified: exact or rounding, by rules alone."""
        return self.verdict in AGREED

    @property
    def worst(self) -> ParameterRow | OpRow | None:
        """The first op that is wrong by itself, else the leaf with the worst verdict."""
        culprit = next((row for row in self.ops if row.isolated is Verdict.DIFFERENT), None)
        return culprit or max(self.parameters, key=_badness, default=None)

    def to_dict(self) -> dict[str, Any]:
        """The stable JSON of ``check --json``; numbers that JSON cannot hold are null.

        ``{"version", "steps": [{"loss", "parameters": [{"name", "shape", "verdict", "rho",
        "max_abs", "max_rel"}], "ops": [{"op", "module", "rule", "isolated", "chained"}]}],
        "updates": [{"optimizer", "name", "gradient", "verdict", "rho"}], "verdict",
        "findings": [{"kind", "severity", "file", "line", "op", "module", "step",
        "message", "why", "fix"}]}``
        """
        return {
            "version": VERSION,
            "steps": [step.to_dict() for step in self.steps],
            "updates": [row.to_dict() for row in self.updates],
            "verdict": str(self.verdict),
            "findings": [finding.to_dict() for finding in self.findings],
        }

    @classmethod
    def joined(cls, reports: Sequence[Report]) -> Report:
        """The steps of several tapes as one report."""
        steps = tuple(step for report in reports for step in report.steps)
        names = sorted({name for report in reports for name in report.coverage.missing})
        unseen = sorted({name for report in reports for name in report.coverage.unseen})
        ruled = sum(report.coverage.ruled for report in reports)
        total = sum(report.coverage.total for report in reports)
        failed = sorted({name for report in reports for name in report.coverage.failed})
        coverage = Coverage(ruled, total, tuple(names), tuple(unseen), tuple(failed))
        updates = tuple(row for report in reports for row in report.updates)
        return cls(steps, coverage, reports[0].warning if reports else "", updates=updates)

    def __rich__(self) -> RenderableType:
        return Group(*tables(self.steps), *update_table(self.updates), *summary(self))

    def __str__(self) -> str:
        console = Console(width=100, force_terminal=False)
        with console.capture() as capture:
            console.print(self)
        return capture.get().rstrip()


def _badness(row: ParameterRow) -> tuple[int, float]:
    return row.verdict.rank, row.rho


def tables(steps: Sequence[Step]) -> Iterator[RenderableType]:
    """The first training step, those that are worse than any before them, and how many are not."""
    worst, alike = -1, 0
    for number, step in enumerate(steps, 1):
        rank = max((row.verdict.rank for row in step.parameters), default=0)
        if rank > worst:
            worst = rank
            yield table(step, number)
        else:
            alike += 1
    if alike:
        yield Text(f"{alike} more training step{'s' * (alike > 1)}, none of them worse")


def table(step: Step, number: int) -> Table:
    """Manual against autograd, a row for each leaf."""
    loss = "" if step.loss is None else f" · loss {step.loss:.6g}"
    grid = Table(title=f"step {number}{loss}", title_justify="left")
    for heading in ("parameter", "shape", "verdict"):
        grid.add_column(heading, no_wrap=True)
    for heading in ("ρ", "max abs", "max rel", "ulps"):
        grid.add_column(heading, justify="right", no_wrap=True)
    for row in step.parameters[:_SHOWN]:
        figures = map(_figure, (row.rho, row.max_abs, row.max_rel, row.ulps))
        shape = "×".join(map(str, row.shape)) or "scalar"
        grid.add_row(Text(row.name), shape, badge(row.verdict, row.nonfinite), *figures)
    if len(step.parameters) > _SHOWN:
        grid.add_row(f"… {len(step.parameters) - _SHOWN} more")
    return grid


def _figure(number: float) -> str:
    """In two digits; nothing where there was nothing to compare."""
    return "" if math.isnan(number) else f"{number:.2g}"


def update_table(rows: Sequence[UpdateRow]) -> Iterator[Table]:
    """What the optimizer did at worst to each parameter; nothing where it did nothing."""
    kept: dict[tuple[str, str], UpdateRow] = {}
    for row in rows:
        before = kept.setdefault((row.optimizer, row.name), row)
        kept[row.optimizer, row.name] = max(
            before, row, key=lambda each: (each.gradient.rank, each.verdict.rank)
        )
    rows = list(kept.values())
    if not rows:
        return
    grid = Table(title="updates", title_justify="left")
    for heading in ("optimizer", "parameter", "gradient used", "update"):
        grid.add_column(heading, no_wrap=True)
    for row in rows[:_SHOWN]:
        checked = badge(row.verdict, 0)
        if row.verdict is Verdict.UNCHECKED:
            checked = Text(f"{row.verdict.glyph} not checked: {row.optimizer} has no rule")
        used = badge(row.gradient, 0)
        if row.gradient is Verdict.UNVERIFIED:
            used = Text(f"{row.gradient.glyph} not what backward left", "yellow")
        grid.add_row(row.optimizer, Text(row.name), used, checked)
    if len(rows) > _SHOWN:
        grid.add_row(f"… {len(rows) - _SHOWN} more")
    yield grid


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
        alone = f": {culprit.alone} stands alone" if culprit.alone else ""
        yield Text(f"first op at fault: {culprit.op} {where}".rstrip() + alone, "red")
    coverage = report.coverage
    yield Text(f"rules: {coverage.ruled} of {coverage.total} ops that carry gradient")
    if coverage.missing:
        yield Text(f"no rule: {', '.join(coverage.missing)}", "yellow")
    for failure in coverage.failed:
        yield Text(f"a rule failed: {failure}", "red")
    if coverage.unseen:
        yield Text(f"unseen by the recorder: {', '.join(coverage.unseen)}", "yellow")
        yield Text(
            "    What came through these is autograd's own and not verified. They were made before "
            "the recording, in another thread, by TorchScript, torch.func or create_graph=True."
        )
    if report.warning:
        yield Text(report.warning)
    for finding in report.findings:
        yield from described(finding)


def described(finding: Finding) -> Iterator[Text]:
    """A finding in three lines: where and what, why, and the fix."""
    place = finding.place or "step"
    head = f"{finding.severity.glyph} {finding.severity} [{finding.kind}] {place}"
    yield Text(f"{head}: {finding.message}", _SEVERITY_COLOURS[finding.severity])
    yield Text(f"    why: {finding.why}")
    yield Text(f"    fix: {finding.fix}")


def badge(verdict: Verdict, nonfinite: int) -> Text:
    """``✓ exact``, and how many elements are not finite."""
    said = f" ({nonfinite} not finite)" if nonfinite else ""
    return Text(f"{verdict.glyph} {verdict}{said}", _COLOURS.get(verdict, ""))
