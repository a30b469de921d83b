"""JUnit XML, held to the schema that Jenkins and GitLab read."""

from __future__ import annotations

import math
from dataclasses import replace
from xml.etree import ElementTree as xml

import torch
from torch import nn

import backprop_tui as bp
from backprop_tui.compare import Verdict
from backprop_tui.finding import Finding, Severity
from backprop_tui.junit import junit
from backprop_tui.report import Report
from backprop_tui.report_rows import Coverage, OpRow, ParameterRow, Step
from backprop_tui.tape import Source

# Element -> its attributes, those that it must have first, and its children.
SCHEMA = {
    "testsuites": ({"name", "tests", "failures", "errors", "skipped"}, set(), {"testsuite"}),
    "testsuite": ({"name", "tests", "failures", "errors", "skipped"}, set(), {"testcase"}),
    "testcase": (
        {"classname", "name"},
        {"file", "line"},
        {"failure", "error", "skipped", "system-out"},
    ),
    "failure": ({"message"}, {"type"}, set()),
    "error": ({"message", "type"}, set(), set()),
    "skipped": ({"message"}, set(), set()),
    "system-out": (set(), set(), set()),
}

COUNTS = {"failures": "failure", "errors": "error", "skipped": "skipped"}


def parsed(text: str) -> xml.Element:
    """The document, found valid, with counts that are right."""
    assert text.startswith("<?xml version")
    root = xml.fromstring(text.encode())
    assert root.tag == "testsuites"
    for element in root.iter():
        required, allowed, children = SCHEMA[element.tag]
        assert required <= set(element.keys()) <= required | allowed
        assert {child.tag for child in element} <= children
    for suites in (root, *root):
        cases = list(suites.iter("testcase"))
        assert int(suites.attrib["tests"]) == len(cases) > 0
        for attribute, tag in COUNTS.items():
            with_it = sum(case.find(tag) is not None for case in cases)
            assert int(suites.attrib[attribute]) == with_it
    for suite in root:
        names = [(case.get("classname"), case.get("name")) for case in suite]
        assert len(set(names)) == len(names)
    return root


def row(name: str, verdict: Verdict) -> ParameterRow:
    return ParameterRow(0, name, (2, 3), verdict, math.inf, 1.0, math.nan, 0.0, 0)


def finding(severity: Severity, message: str = "it is <wrong> & \x00bad") -> Finding:
    source = Source("train.py", 7, "main")
    return Finding("missing-mask", severity, message, "because", "mend it", source, "relu", step=2)


NOTHING = Coverage(0, 0, (), ())


def test_a_step_that_agrees():
    model = nn.Linear(3, 2)
    with bp.record(model) as tape:
        for _ in range(2):
            model(torch.ones(1, 3)).sum().backward()
    root = parsed(junit(tape.check()))
    assert [suite.get("name") for suite in root] == ["step 1", "step 2"]
    assert [case.get("name") for case in root[0]] == ["weight", "bias"]
    assert root.get("failures") == root.get("skipped") == "0"


def test_what_differs_fails_and_what_cannot_be_verified_is_skipped():
    rows = (row("a", Verdict.DIFFERENT), row("b", Verdict.UNVERIFIED), row("c", Verdict.ROUNDING))
    op = OpRow(0, 4, "relu", "fc", "C:/x/train.py:7", None, Verdict.DIFFERENT, Verdict.EXACT)
    root = parsed(junit(Report((Step(1.0, rows, (op,)),), NOTHING)))
    assert (root.get("failures"), root.get("skipped")) == ("2", "1")
    wrong, unsure, right, alone = root[0]
    assert "different: a (2×3), ρ inf" in wrong.find("failure").text
    assert unsure.find("skipped") is not None and not len(right)
    assert alone.get("name") == "fc relu (op 4)"
    assert (alone.get("file"), alone.get("line")) == ("C:/x/train.py", "7")


def test_findings_are_cases_and_errors_fail():
    warning = replace(finding(Severity.WARNING, "it may be"), op="")
    findings = (finding(Severity.ERROR), warning)
    root = parsed(junit(Report((), NOTHING, findings=findings)))
    error, warning = root.iter("testcase")
    failure = error.find("failure")
    assert failure.get("message") == "it is <wrong> & �bad"
    assert "why: because\nfix: mend it" in failure.text
    assert (error.get("file"), error.get("line")) == ("train.py", "7")
    assert "warning: " in warning.find("system-out").text


def test_a_program_that_raised_is_in_error():
    root = parsed(junit(Report((), NOTHING), ValueError("no good")))
    error = next(root.iter("error"))
    assert (error.get("type"), error.get("message")) == ("ValueError", "no good")
