"""A check as JUnit XML, which CI servers show test by test."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree as xml

from .compare import Verdict
from .finding import Finding, Severity
from .report import Report
from .report_rows import OpRow, ParameterRow, Step

_WRONG = (Verdict.DIFFERENT, Verdict.AMBER)
_ILLEGAL = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(report: Report, error: BaseException | None = None) -> str:
    """One suite for each training step and one for the findings; a case for each gradient.

    A case fails if its gradient is wrong, and is skipped if nothing could verify it. An op that
    is wrong by itself is a case of its own. Findings fail if they are errors.

    Args:
        error: what ended the checked program, a case that is in error.
    """
    suites = xml.Element("testsuites", name="backprop-tui")
    for number, step in enumerate(report.steps, 1):
        _suite(suites, f"step {number}", list(_step(step, number)))
    _suite(suites, "findings", [_finding(finding) for finding in report.findings])
    if error is not None:
        case = xml.Element("testcase", classname="program", name="runs to its end")
        _told(case, "error", str(error), str(error), type(error).__name__)
        _suite(suites, "program", [case])
    for count in ("tests", "failures", "errors", "skipped"):
        suites.set(count, str(sum(int(suite.get(count, "0")) for suite in suites)))
    xml.indent(suites)
    return xml.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _suite(suites: xml.Element, name: str, cases: list[xml.Element]) -> None:
    if not cases:
        return
    counts = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    suite = xml.SubElement(suites, "testsuite", name=name, tests=str(len(cases)))
    for attribute, tag in counts.items():
        suite.set(attribute, str(sum(case.find(tag) is not None for case in cases)))
    suite.extend(cases)


def _step(step: Step, number: int) -> Iterator[xml.Element]:
    for row in step.parameters:
        yield _parameter(row, number)
    for op in step.ops:
        if op.isolated is Verdict.DIFFERENT:
            yield _op(op, number)


def _parameter(row: ParameterRow, number: int) -> xml.Element:
    case = _case(f"step {number}.gradients", row.name)
    shape = "×".join(map(str, row.shape)) or "scalar"
    figures = f"ρ {row.rho:.3g}, max abs {row.max_abs:.3g}, max rel {row.max_rel:.3g}"
    said = f"{row.verdict}: {row.name} ({shape}), {figures}"
    if row.verdict in _WRONG:
        _told(case, "failure", f"manual and autograd differ: {row.verdict}", said)
    elif row.verdict in (Verdict.UNVERIFIED, Verdict.UNCHECKED):
        _told(case, "skipped", said)
    return case


def _op(row: OpRow, number: int) -> xml.Element:
    case = _case(f"step {number}.ops", f"{row.module} {row.op} (op {row.index})".lstrip())
    _located(case, *row.source.rpartition(":")[::2])
    alone = f"; {row.alone} stands alone" if row.alone else ""
    said = f"{row.op} is wrong by itself{alone}"
    _told(case, "failure", said, f"{said}\n{row.source}")
    return case


def _finding(finding: Finding) -> xml.Element:
    source = finding.source
    where = f"{source.file}:{source.line}" if source else finding.module
    name = f"{finding.op or 'program'} in step {finding.step} {where}".rstrip()
    case = _case(f"findings.{finding.kind}", name)
    if source is not None:
        _located(case, source.file, str(source.line))
    text = f"{where}\n{finding.message}\nwhy: {finding.why}\nfix: {finding.fix}"
    if finding.severity is Severity.ERROR:
        _told(case, "failure", finding.message, text, finding.kind)
    else:
        xml.SubElement(case, "system-out").text = _legal(f"{finding.severity}: {text}")
    return case


def _case(classname: str, name: str) -> xml.Element:
    return xml.Element("testcase", classname=_legal(classname), name=_legal(name))


def _located(case: xml.Element, file: str, line: str) -> None:
    if file:
        case.set("file", _legal(file))
        case.set("line", line)


def _told(case: xml.Element, tag: str, message: str, text: str = "", kind: str = "") -> None:
    told = xml.SubElement(case, tag, message=_legal(message))
    if kind:
        told.set("type", kind)
    told.text = _legal(text) or None


def _legal(text: str) -> str:
    """Without the characters that XML cannot hold."""
    return _ILLEGAL.sub("�", text)
