"""Every kind of fault: a script that has it, its corrected twin, and scripts that only look odd."""

from __future__ import annotations

import ast

import pytest

from backprop_tui.finding import Severity

from .harness import SCRIPTS, errors, findings_of, kind_of, marked, scripts
from .page import PAGE, severity_of


@pytest.mark.parametrize("script", scripts("*_wrong"))
def test_the_fault_is_found_at_its_line(script):
    kind, found = kind_of(script), findings_of(f"{script}.py")
    mine = [finding for finding in found if finding.kind == kind]
    assert [finding.source.line for finding in mine] == [marked(f"{script}.py")], found
    assert mine[0].source.file == str(SCRIPTS / f"{script}.py")
    assert mine[0].severity is severity_of(script)
    assert errors(found) == [finding for finding in mine if finding.severity is Severity.ERROR]


@pytest.mark.parametrize("script", scripts("*_right"))
def test_its_corrected_twin_has_no_fault(script):
    found = findings_of(f"{script}.py")
    assert errors(found) == []
    assert [finding for finding in found if finding.kind == kind_of(script)] == []


@pytest.mark.parametrize("script", scripts("fine_*"))
def test_what_only_looks_odd_is_no_fault(script):
    found = findings_of(f"{script}.py")
    assert [finding for finding in found if finding.severity is not Severity.NOTE] == []


def test_every_script_belongs_to_a_pair_and_says_what_it_is():
    pairs = [script.removesuffix("_wrong") for script in scripts("*_wrong")]
    assert pairs == [script.removesuffix("_right") for script in scripts("*_right")]
    for path in SCRIPTS.glob("*.py"):
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), path


def test_the_page_has_every_kind():
    headings = [line[4:] for line in PAGE.read_text("utf-8").splitlines() if line[:4] == "### "]
    assert sorted(headings) == sorted({kind_of(script) for script in scripts("*_wrong")})
