"""What a check found: the rows, their JSON, and their text."""

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

_COLOURS = {"exact": "green", "rounding": "cyan", "amber": "yellow", "different": "red"}
_SEVERITY_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}
_SHOWN = 200

VERSION = 1
"""Of the JSON's shape; it grows when a field changes its meaning or goes."""

AGREED = (Verdict.EXACT, Verdict.ROUNDING)


@dataclass(frozen=True)
class ParameterRow:
    """One leaf that got a gradient in a backward pass: a parameter, or an input.

    UNVERIFIED where a gradient came through an op without a rule, or through what the recorder
    did not see; the figures are NaN where there was nothing to compare. See `compare.Comparison`.

    Attributes:
        step: the backward pass, from 0.
        rho: autograd's distance from the float64 truth, in units of what rounding explains.
        max_abs, max_rel, ulps: the largest differences of an element.
        nonfinite: how many elements of the manual gradient are NaN or infinite.
    """

    step: int
    name: str
    shape: tuple[int, ...]
    verdict: Verdict
    rho: float
    max_abs: float
    max_rel: float
    ulps: float
    nonfinite: int


@dataclass(frozen=True)
class OpRow:
    """One op that carries gradient; `rule` is None where torch's own derivative stood in.

    `alone`, of a check with `numeric`, names the one of three witnesses that contradicts the
    others (`numeric.standing_alone`). `failure` says why a rule that there is was not used.
    """

    step: int
    index: int
    op: str
    module: str
    source: str
    rule: str | None
    isolated: Verdict
    chained: Verdict
    alone: str = ""
    failure: str = ""


@dataclass(frozen=True)
class UpdateRow:
    """One parameter's update by an optimizer.

    `gradient` says whether the gradient that it used is what the backward passes left, with
    clipping accounted for; UNVERIFIED where something else changed it. `verdict` compares the
    parameter after it with the update rule's; UNCHECKED where the optimizer has none.
    """

    optimizer: str
    name: str
    gradient: Verdict
    verdict: Verdict
    rho: float


@dataclass(frozen=True)
class Coverage:
    """What could be checked by rules.

    Attributes:
        ruled: how many of the `total` ops that carry gradient have a rule.
        missing: the names of those that have none.
        unseen: the names of autograd's nodes that no recorded op made.
        failed: why a rule that there is was not used.
    """

    ruled: int
    total: int
    missing: tuple[str, ...]
    unseen: tuple[str, ...]
    failed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """One backward pass: its loss (None where it is no scalar), its leaves and its ops."""

    loss: float | None
    parameters: tuple[ParameterRow, ...]
    ops: tuple[OpRow, ...]


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
            "steps": [_step_dict(step) for step in self.steps],
            "updates": [_update_dict(row) for row in self.updates],
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


def _step_dict(step: Step) -> dict[str, Any]:
    return {
        "loss": _number(step.loss),
        "parameters": [
            {
                "name": row.name,
                "shape": list(row.shape),
                "verdict": str(row.verdict),
                "rho": _number(row.rho),
                "max_abs": _number(row.max_abs),
                "max_rel": _number(row.max_rel),
            }
            for row in step.parameters
        ],
        "ops": [
            {
                "op": row.op,
                "module": row.module,
                "rule": row.rule,
                "isolated": str(row.isolated),
                "chained": str(row.chained),
            }
            for row in step.ops
        ],
    }


def _update_dict(row: UpdateRow) -> dict[str, Any]:
    return {
        "optimizer": row.optimizer,
        "name": row.name,
        "gradient": str(row.gradient),
        "verdict": str(row.verdict),
        "rho": _number(row.rho),
    }


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


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
