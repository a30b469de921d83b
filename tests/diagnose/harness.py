"""Scripts of the catalogue run under observation: what is found in them."""

from __future__ import annotations

import contextlib
import io
import runpy
from pathlib import Path

from backprop_tui.diagnose import Diagnosis
from backprop_tui.finding import Finding, Severity
from backprop_tui.stepper import Pace

SCRIPTS = Path(__file__).parent / "scripts"


def findings_of(script: str) -> list[Finding]:
    """All findings of a script, such as ``"missing_mask_wrong.py"``, step after step."""
    diagnosis = Diagnosis()
    error: Exception | None = None
    with Pace(lambda number: True, lambda number, tape: diagnosis.examine(tape, number)) as pace:
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                runpy.run_path(str(SCRIPTS / script), run_name="__main__")
        except Exception as raised:
            error = raised
        assert pace.stepper is not None
        if error is None:
            pace.finish()
        else:
            diagnosis.examine(pace.stepper.so_far(), pace.number, error)
    return diagnosis.findings


def errors(findings: list[Finding]) -> list[Finding]:
    """Those that say something is wrong."""
    return [finding for finding in findings if finding.severity is Severity.ERROR]


def marked(script: str) -> int:
    """The line of a script that ends in ``# <-- fault``: where the finding has to point."""
    lines = (SCRIPTS / script).read_text(encoding="utf-8").splitlines()
    (number,) = [i for i, line in enumerate(lines, 1) if line.endswith("# <-- fault")]
    return number
