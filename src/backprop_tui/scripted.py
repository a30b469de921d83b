"""A program checked without a screen: every training step judged, and what is wrong with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import torch

from . import check as checking
from . import tape as taping
from .compare import Verdict
from .diagnose import Diagnosis
from .finding import Severity
from .judge import judge
from .program import Program
from .report import Report
from .stepper import Pace


class Enough(SystemExit):
    """The steps that were to be checked are: the program is ended."""


@dataclass(frozen=True)
class Checked:
    """What the check of a program found.

    Attributes:
        report: the steps and the findings.
        error: the exception that ended the program, if one did.
        instead: what a program did that never differentiated.
    """

    report: Report
    error: BaseException | None = None
    instead: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The JSON of ``check --json``: the report's, and the program's exception or null."""
        error = self.error
        told = {"type": type(error).__name__, "message": str(error)} if error else None
        return {**self.report.to_dict(), "error": told}


def check_program(
    program: Program,
    last: int | None = None,
    first: int = 1,
    on_report: Callable[[taping.Tape, Report], None] = lambda tape, report: None,
) -> Checked:
    """Run a program and check its training steps from `first` to `last` (None: to its end).

    The program is ended after the last step to check. A function that returns a scalar it did
    not differentiate has it differentiated.

    Args:
        on_report: told of every step that was checked, with what was found.
    """
    reports: list[Report] = []
    diagnosis = Diagnosis()

    def look(number: int, tape: taping.Tape, error: BaseException | None = None) -> None:
        judged = [judge(tape, backward) for backward in tape.backwards]
        if judged:
            reports.append(checking.check(tape, judged=judged))
            on_report(tape, reports[-1])
        diagnosis.examine(tape, number, error, judged)

    def on_step(number: int, tape: taping.Tape) -> None:
        look(number, tape)
        if number == last:
            raise Enough

    with Pace(lambda number: first <= number, on_step) as pace:
        ending = program.run()
        result = ending.result
        if isinstance(result, torch.Tensor) and result.requires_grad and result.numel() == 1:
            result.backward()
        rest = pace.stepper.so_far() if pace.stepper is not None else taping.Tape()
        if ending.error is not None:
            look(max(1, pace.number), rest, ending.error)
        else:
            with suppress(Enough):
                pace.finish()
    report = Report.joined(reports)
    instead = "" if reports else did(rest)
    found = tuple(diagnosis.findings)
    return Checked(replace(report, findings=found), ending.error, instead)


def did(tape: taping.Tape) -> str:
    """What a program did that never differentiated."""
    if not tape.ops:
        return "it called nothing of torch in the main thread of this process"
    counts = Counter(op.name for op in tape.ops).most_common(4)
    most = ", ".join(f"{name} {count}×" for name, count in counts)
    carried = sum(bool(op.node) for op in tape.ops)
    graph = (
        f"{carried} of them carry gradient, but backward() was never called"
        if carried
        else "none carries gradient: nothing that requires grad went in, or no_grad was on"
    )
    return f"its main thread ran {len(tape.ops)} torch ops ({most}); {graph}"


def failed(report: Report, fail_on: Collection[str]) -> bool:
    """Whether a check fails, by what it is to fail on: different, finding, unruled."""
    reasons = {
        "different": report.verdict in (Verdict.DIFFERENT, Verdict.AMBER),
        "finding": any(finding.severity is Severity.ERROR for finding in report.findings),
        "unruled": bool(report.coverage.missing or report.coverage.unseen),
    }
    return any(reasons[name] for name in fail_on)
