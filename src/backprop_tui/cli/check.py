"""`backprop-tui check`: a script, a module, a function or a lesson, with no screen."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from . import lesson
from .words import PROGRAM, steps

if TYPE_CHECKING:
    from ..report import Report
    from ..tape import Tape

FAIL_ON = ("different", "finding", "unruled")
CHECKED_STEPS = 5
"""Enough for what only shows from one step to the next, such as a forgotten zero_grad."""


def add(commands: Any) -> None:
    """Declare the command."""
    check = commands.add_parser(
        "check",
        help="compare manual and autograd with no screen",
        usage=f"{PROGRAM} check [options] (SCRIPT | -m MODULE | MODULE:FUNCTION) [arguments]\n"
        f"       {PROGRAM} check --lesson NAME [options]",
        description="Derives every gradient of the first training steps by hand, compares it "
        "with autograd's, and says what is wrong.",
        epilog="exit codes: 0 agreed; 1 differences or error findings; 2 usage; 3 the script "
        "raised. Options stand before the script: what follows it is the script's own.",
    )
    check.add_argument("--lesson", dest="name", metavar="NAME", help="check a lesson")
    check.add_argument(
        "-m", dest="module", action="store_true", help="check a module, as python -m"
    )
    check.add_argument(
        "--steps",
        type=steps,
        default=(1, CHECKED_STEPS),
        metavar="[M-]N",
        help=f"the training steps to check, 'all' to the end (default {CHECKED_STEPS}); "
        "then the script is ended",
    )
    _answers(check)
    lesson.network(check)
    check.add_argument("program", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    check.set_defaults(run=_check)


def _answers(check: argparse.ArgumentParser) -> None:
    check.add_argument(
        "--fail-on",
        type=_reasons,
        default=("different", "finding"),
        metavar="WHAT",
        help="different, finding (an error), unruled (an op without a rule, or not recorded), with "
        "commas between (default different,finding)",
    )
    check.add_argument("--json", action="store_true", help="print JSON instead of a table")
    check.add_argument("--junit", metavar="FILE", help="write JUnit XML to FILE as well")
    check.add_argument(
        "--capsule",
        metavar="DIR",
        help="write each op that is wrong by itself into DIR, as a pytest file of its own",
    )


def _reasons(text: str) -> tuple[str, ...]:
    found = tuple(text.split(","))
    for reason in found:
        if reason not in FAIL_ON:
            raise argparse.ArgumentTypeError(f"{reason!r} is none of {', '.join(FAIL_ON)}")
    return found


def _check(options: argparse.Namespace) -> int:
    if options.name is None:
        return _check_program(options)
    if options.program:
        raise UserError(f"check a lesson or {options.program[0]}, not both at once")
    lesson.known(options.name)
    from rich.console import Console

    from ..check import check
    from ..diagnose import Diagnosis
    from ..report import Report
    from ..scripted import failed

    options.iterations = options.iterations or 1
    session = lesson.opened(options)
    reports, keep, diagnosis = [], _capsules(options), Diagnosis()
    for iteration in range(1, session.iterations + 1):
        tape = session.tape(iteration)
        reports.append(check(tape, given=session.given(tape), warning=session.warning))
        diagnosis.examine(tape, iteration)
        keep(tape, reports[-1])
    report = replace(Report.joined(reports), findings=tuple(diagnosis.findings))
    _junit(options, report)
    if options.json:
        print(json.dumps(report.to_dict(), indent=2))
    else:
        Console().print(report)
    return 1 if failed(report, options.fail_on) else 0


def _check_program(options: argparse.Namespace) -> int:
    if not options.program:
        raise UserError("check what? a script, a module:function, or --lesson two-layer")
    from rich.console import Console

    from ..program import Program, show
    from ..scripted import check_program, failed

    program = Program(options.program[0], options.program[1:], options.module)
    first, last = options.steps
    with _stdout_aside() if options.json else contextlib.nullcontext():
        checked = check_program(program, last, first, _capsules(options))
        if checked.error is not None:
            show(checked.error)
    _junit(options, checked.report, checked.error)
    if options.json:
        print(json.dumps(checked.to_dict(), indent=2))
    elif checked.report.steps or checked.report.findings:
        Console().print(checked.report)
    if checked.error is not None:
        return 3
    if not checked.report.steps:
        raise UserError(f"nothing to check in {program.name}: {checked.instead}")
    return 1 if failed(checked.report, options.fail_on) else 0


def _capsules(options: argparse.Namespace) -> Callable[[Tape, Report], None]:
    """Writes the capsules that were asked for, step by step, and says where."""
    known: dict[tuple[str, str], str] = {}

    def keep(tape: Tape, report: Report) -> None:
        if options.capsule is not None:
            from ..capsule import write_faults

            before = len(known)
            for said in list(write_faults(options.capsule, tape, report, known).values())[before:]:
                print(said, file=sys.stderr)

    return keep


def _junit(options: argparse.Namespace, report: Report, error: BaseException | None = None) -> None:
    if options.junit is None:
        return
    from ..junit import junit

    try:
        with open(options.junit, "w", encoding="utf-8") as file:
            file.write(junit(report, error))
    except OSError as failure:
        raise UserError(f"cannot write {options.junit}: {failure.strerror}") from failure


@contextlib.contextmanager
def _stdout_aside() -> Iterator[None]:
    """What a program prints goes to stderr, in C too: stdout is for our answer alone."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
