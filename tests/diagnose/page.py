"""docs/findings.md, written from the pairs of scripts: ``make findings``.

What a kind means is the docstring of its faulty script, with the severity in front
("Error: …"); how it is detected, that of the detector which found it there; message, why and
fix are what it said; and the repair is what its corrected twin has in place of the faulty line.
"""

from __future__ import annotations

import ast
import difflib
import inspect
import sys
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from unittest import mock

from backprop_tui import diagnose
from backprop_tui.diagnose import Detector, Examined
from backprop_tui.finding import Finding, Severity

from .harness import FAULT, SCRIPTS, kind_of, run, scripts

PAGE = Path(__file__).parents[2] / "docs" / "findings.md"

HEAD = """\
# What is found

Written by `make findings` from the pairs of scripts in `tests/diagnose/scripts/`: each kind of
finding has one with the fault and its corrected twin. An *error* is wrong, a *warning* is likely
to be, a *note* may be meant.
"""


def meaning(script: str) -> str:
    """What a script says of itself."""
    source = (SCRIPTS / f"{script}.py").read_text(encoding="utf-8")
    return inspect.cleandoc(ast.get_docstring(ast.parse(source)) or "")


def severity_of(script: str) -> Severity:
    """The severity that a faulty script's docstring begins with."""
    return Severity(meaning(script).partition(":")[0].lower())


def sections() -> Iterator[str]:
    """The page, kind after kind in the order of their detectors."""
    entries = sorted(entry(script) for script in scripts("*_wrong") if "__" not in script)
    for number, group in groupby(entries, key=itemgetter(0)):
        yield family(diagnose.DETECTORS[number])
        yield from (text for _, text in group)


def family(detector: Detector) -> str:
    """The heading of a detector's kinds, and how it finds them."""
    title, _, how = (inspect.getdoc(detector) or "").partition("\n\n")
    return f"\n## {title.rstrip('.')}\n\n{how}\n"


def entry(script: str) -> tuple[int, str]:
    """(which detector, text) of one kind."""
    number, finding = found_by(script)
    assert finding.source is not None
    said = f"{script}.py:{finding.source.line}: {finding.message}"
    lines = [
        f"\n### {finding.kind}\n\n{meaning(script)}\n",
        f"> {finding.severity}: {said}\n>\n> {finding.why}\n>\n> {finding.fix}\n",
        f"```diff\n{repair(script)}\n```\n",
    ]
    return number, "\n".join(lines)


def found_by(script: str) -> tuple[int, Finding]:
    """The finding that a faulty script is about, and which detector found it."""
    by: dict[str, int] = {}

    def watched(number: int, detector: Detector) -> Detector:
        def detect(examined: Examined) -> Iterator[Finding]:
            for finding in detector(examined):
                by[finding.kind] = number
                yield finding

        return detect

    detectors = tuple(watched(*each) for each in enumerate(diagnose.DETECTORS))
    with mock.patch.object(diagnose, "DETECTORS", detectors):
        found = run(SCRIPTS / f"{script}.py")
    finding = next(finding for finding in found if finding.kind == kind_of(script))
    return by[finding.kind], finding


def repair(script: str) -> str:
    """The lines that the corrected twin has changed."""
    twin = script.removesuffix("_wrong") + "_right"
    changes = list(difflib.unified_diff(body(script), body(twin), lineterm="", n=0))[2:]
    return "\n".join(line for line in changes if line[:2] != "@@")


def body(script: str) -> list[str]:
    """A script's lines below its docstring, without the mark."""
    source = (SCRIPTS / f"{script}.py").read_text(encoding="utf-8")
    after = ast.parse(source).body[0].end_lineno or 0
    return [line.removesuffix(FAULT) for line in source.splitlines()[after:]]


if __name__ == "__main__":
    PAGE.write_text(HEAD + "".join(sections()), encoding="utf-8")
    sys.stdout.write(f"{PAGE.name}: {len(scripts('*_wrong'))} pairs\n")
