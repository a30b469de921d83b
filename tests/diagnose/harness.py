"""Scripts of the catalogue run under observation: what is found in them."""

from __future__ import annotations

import contextlib
import functools
import io
import runpy
import warnings
from pathlib import Path

from backprop_tui import private
from backprop_tui.diagnose import FAILED, Diagnosis
from backprop_tui.finding import Finding, Severity
from backprop_tui.stepper import Pace

SCRIPTS = Path(__file__).parent / "scripts"
FAULT = "  # <-- fault"


@functools.cache
def findings_of(script: str) -> tuple[Finding, ...]:
    """All findings of a script, such as ``"missing_mask_wrong.py"``, step after step."""
    return tuple(run(SCRIPTS / script))


def run(script: Path) -> list[Finding]:
    """All findings of any script. Only one that is wrong may raise."""
    diagnosis = Diagnosis()
    error: Exception | None = None
    with Pace(lambda number: True, lambda number, tape: diagnosis.examine(tape, number)) as pace:
        try:
            with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what torch itself says of some of the faults
                runpy.run_path(str(script), run_name="__main__")
        except Exception as raised:
            if not script.stem.endswith("_wrong"):
                raise
            error = raised
        assert pace.stepper is not None
        if error is None:
            pace.finish()
        else:
            with private.apart():
                diagnosis.examine(pace.stepper.so_far(), pace.number, error)
    failed = [finding.message for finding in diagnosis.findings if finding.kind == FAILED]
    assert not failed, failed
    return diagnosis.findings


def scripts(kind: str) -> list[str]:
    """The stems of all ``*_wrong.py``, ``*_right.py`` or ``fine_*.py`` scripts."""
    return sorted(path.stem for path in SCRIPTS.glob(f"{kind}.py"))


def kind_of(script: str) -> str:
    """The kind of finding that a pair is about: ``missing_mask__relu6_wrong`` is another one's."""
    return script.rpartition("_")[0].partition("__")[0].replace("_", "-")


def errors(findings: tuple[Finding, ...]) -> list[Finding]:
    """Those that say something is wrong."""
    return [finding for finding in findings if finding.severity is Severity.ERROR]


def marked(script: str) -> int:
    """The line of a script that ends in ``# <-- fault``: where the finding has to point."""
    lines = (SCRIPTS / script).read_text(encoding="utf-8").splitlines()
    (number,) = [i for i, line in enumerate(lines, 1) if line.endswith(FAULT)]
    return number
