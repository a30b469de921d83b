"""Arguments only: what was asked for, handed to the part that does it."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from .errors import UserError
from .lessons import LESSONS, SIZES, intro, title

if TYPE_CHECKING:
    from .lessons.two_layer import TwoLayer
    from .report import Report
    from .tape import Tape

_PROGRAM = "backprop-tui"
_DTYPES = ("float32", "float64", "float16", "bfloat16")
FAIL_ON = ("different", "finding", "unruled")
CHECKED_STEPS = 5
"""Enough for what only shows from one step to the next, such as a forgotten zero_grad."""
_EPILOG = """\
With no arguments it opens the first lesson: a two-layer ReLU net whose training step is
single-stepped, every gradient by hand beside autograd's. Press ? there for the keys.

examples:
  backprop-tui
  backprop-tui lesson two-layer --hidden 16 --depth 3
  backprop-tui lesson two-layer --weights update-first
  backprop-tui lesson --plain | less
  backprop-tui run train.py --epochs 3
  backprop-tui run --until nan train.py
  backprop-tui check train.py --epochs 1
  backprop-tui check --lesson two-layer --json
  backprop-tui rules softmax
"""


class _Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{_PROGRAM}: {message} (see {self.prog} --help)\n")


class _Version(argparse.Action):
    """Looks the version up only when it is asked for, which takes as long as a whole start."""

    def __call__(self, *_: object) -> NoReturn:
        from importlib.metadata import version

        print(f"{_PROGRAM} {version(_PROGRAM)}")
        sys.exit(0)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code.

    0: agreed, or the screen was closed; 1: manual and autograd differ, or a finding is an
    error; 2: the arguments or a file cannot be used; 3: a checked program raised.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or (arguments[0][0:1] == "-" and arguments[0] not in _GLOBAL_FLAGS):
        arguments.insert(0, "lesson")
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
        sys.stdout.flush()
        return code
    except UserError as error:
        print(f"{_PROGRAM}: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of our output, less or head, has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


_GLOBAL_FLAGS = ("-h", "--help", "--version")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog=_PROGRAM,
        description="The debugger for backpropagation: single-step a training step of a PyTorch "
        "program, with every gradient derived by hand beside autograd's.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and leave")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    lesson = commands.add_parser("lesson", help="open a lesson (the default)")
    lesson.add_argument("name", nargs="?", default="two-layer", help="which one (see --list)")
    lesson.add_argument("--list", action="store_true", help="list the lessons and leave")
    lesson.add_argument(
        "--plain",
        action="store_true",
        help="a plain transcript instead of the screen, as where there is no terminal",
    )
    _lesson_options(lesson)
    lesson.set_defaults(run=_lesson)

    _run_command(commands)
    _check_command(commands)

    rules = commands.add_parser("rules", help="show a rule, or list them all")
    rules.add_argument("name", nargs="?", help="of a rule or a torch function, such as softmax")
    rules.add_argument("--missing", action="store_true", help="list what still has no rule")
    rules.set_defaults(run=_rules)
    return parser


def _run_command(commands: Any) -> None:
    run = commands.add_parser(
        "run",
        help="run a training script under the debugger",
        usage=f"{_PROGRAM} run [options] (SCRIPT | -m MODULE) [arguments]",
        description="Runs a script as python would, records its training steps, and opens the "
        "screen at the first, or where the options say.",
        epilog="conditions: nan, inf, different (manual and autograd differ), finding (something "
        "is wrong), or an expression over loss, step, median (of the losses so far), norm(…), "
        "grad[…] and the names of the screen: --until 'norm(grad[\"fc1.weight\"]) > 10'. "
        "Options stand before the script: what follows it is the script's own.",
    )
    run.add_argument("-m", dest="module", action="store_true", help="run a module, as python -m")
    run.add_argument("--step", type=_positive, metavar="N", help="stop at this training step")
    run.add_argument("--every", type=_positive, metavar="N", help="stop at every N-th step")
    run.add_argument(
        "--until",
        action="append",
        default=[],
        metavar="CONDITION",
        help="stop where this holds; may be given several times",
    )
    run.add_argument(
        "--at",
        choices=("step", "backward"),
        default="step",
        help="stop after the update, or right after backward() (default step)",
    )
    run.add_argument(
        "--record",
        type=_range,
        default=(1, None),
        metavar="M-N",
        help="record these steps alone; the others run at full speed",
    )
    for flag, words in (("--only", "only what runs in"), ("--skip", "nothing of what runs in")):
        run.add_argument(
            flag,
            action="append",
            default=[],
            metavar="MODULE",
            help=f"record {words} the module of this path",
        )
    run.add_argument("program", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    run.set_defaults(run=_run)


def _check_command(commands: Any) -> None:
    check = commands.add_parser(
        "check",
        help="compare manual and autograd with no screen",
        usage=f"{_PROGRAM} check [options] (SCRIPT | -m MODULE | MODULE:FUNCTION) [arguments]\n"
        f"       {_PROGRAM} check --lesson NAME [options]",
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
        type=_range,
        default=(1, CHECKED_STEPS),
        metavar="[M-]N",
        help=f"the training steps to check, 'all' to the end (default {CHECKED_STEPS}); "
        "then the script is ended",
    )
    check.add_argument(
        "--fail-on",
        type=_reasons,
        default=("different", "finding"),
        metavar="WHAT",
        help="different, finding (an error), unruled (an op without a rule), with commas "
        "between (default different,finding)",
    )
    check.add_argument("--json", action="store_true", help="print JSON instead of a table")
    check.add_argument("--junit", metavar="FILE", help="write JUnit XML to FILE as well")
    check.add_argument(
        "--capsule",
        metavar="DIR",
        help="write each op that is wrong by itself into DIR, as a pytest file of its own",
    )
    check.add_argument("program", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    _lesson_options(check)
    check.set_defaults(run=_check)


def _range(text: str) -> tuple[int, int | None]:
    """``5``, ``3-7`` or ``all``."""
    if text == "all":
        return 1, None
    first, dash, last = text.partition("-")
    low, high = (_positive(first), _positive(last)) if dash else (1, _positive(first))
    if high < low:
        raise argparse.ArgumentTypeError(f"{text!r}: the last step comes before the first")
    return low, high


def _reasons(text: str) -> tuple[str, ...]:
    found = tuple(text.split(","))
    for reason in found:
        if reason not in FAIL_ON:
            raise argparse.ArgumentTypeError(f"{reason!r} is none of {', '.join(FAIL_ON)}")
    return found


def _lesson_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the network, its data and its training")
    words = [
        "batch size",
        "width of the input",
        "width of each hidden layer",
        "width of the output",
        "number of hidden layers",
    ]
    for (name, size), text in zip(SIZES.items(), words, strict=True):
        flag = f"--{name.replace('_', '-')}"
        group.add_argument(flag, type=_positive, metavar="N", help=f"{text} (default {size})")
    group.add_argument("--lr", type=_number, default=1e-4, help="learning rate (default 1e-4)")
    group.add_argument(
        "--iterations",
        type=_positive,
        metavar="N",
        help="training steps (default 500 on the screen, 1 in a transcript or a check)",
    )
    group.add_argument("--seed", type=int, default=0, help="of the weights and data (default 0)")
    group.add_argument("--dtype", choices=_DTYPES, default="float32", help="(default float32)")
    group.add_argument("--device", default="cpu", help="where to compute (default cpu)")
    for flag, shape in (("--x", "n × d-in"), ("--y", "n × d-out")):
        group.add_argument(
            flag, metavar="FILE", help=f"{shape} numbers from a .npy, .npz, .pt or .csv file"
        )
    group.add_argument(
        "--weights",
        choices=("forward", "update-first"),
        default="forward",
        help="which weights the hand computation uses: those of the forward pass, or, as in "
        "the article's listing, those after the update, which drift (default forward)",
    )


def _positive(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return value


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number, such as 1e-4") from None
    if value != value:
        raise argparse.ArgumentTypeError("nan is no learning rate: give a number, such as 1e-4")
    return value


def _lesson(options: argparse.Namespace) -> int:
    if options.list:
        for name, text in LESSONS.items():
            print(f"{name:<12}{text}")
        return 0
    _known(options.name)
    if options.plain or not _has_terminal():
        return _transcript(options)
    from .ui.app import launch

    options.iterations = options.iterations or 500
    sizes = {name: getattr(options, name) or size for name, size in SIZES.items()}
    return launch(lambda: _open(options), title(sizes["depth"]), intro(**sizes))


def _has_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def _known(name: str) -> None:
    if name not in LESSONS:
        import difflib

        near = difflib.get_close_matches(name, LESSONS, 1)
        hint = f"did you mean {near[0]}?" if near else f"there is: {', '.join(LESSONS)}"
        raise UserError(f"no lesson is called {name!r}: {hint} (see {_PROGRAM} lesson --list)")


def _open(options: argparse.Namespace) -> TwoLayer:
    from .lessons.options import parse
    from .lessons.two_layer import TwoLayer

    return TwoLayer(parse(vars(options)))


def _transcript(options: argparse.Namespace) -> int:
    from .compare import Verdict
    from .report import AGREED
    from .transcript import lines

    options.iterations = options.iterations or 1
    session = _open(options)
    verdict = Verdict.EXACT
    for iteration in range(1, session.iterations + 1):
        trace = session.trace(iteration)
        for line in lines(trace):
            print(line)
        verdict = verdict.or_worse(trace.worst())
    return 0 if verdict in AGREED else 1


def _check(options: argparse.Namespace) -> int:
    if options.name is None:
        return _check_program(options)
    if options.program:
        raise UserError(f"check a lesson or {options.program[0]}, not both at once")
    _known(options.name)
    from rich.console import Console

    from .check import check
    from .report import Report, exit_code

    options.iterations = options.iterations or 1
    session = _open(options)
    reports, keep = [], _capsules(options)
    for iteration in range(1, session.iterations + 1):
        tape = session.tape(iteration)
        reports.append(check(tape, given=session.given(tape), warning=session.warning))
        keep(tape, reports[-1])
    report = Report.joined(reports)
    _junit(options, report)
    if options.json:
        print(json.dumps(report.to_dict(), indent=2))
    else:
        Console().print(report)
    return exit_code(report)


def _run(options: argparse.Namespace) -> int:
    if not options.program:
        raise UserError("run what? a script, or -m and a module")
    from .debugging import debug
    from .program import Program
    from .stops import Stops, Until

    program = Program(options.program[0], options.program[1:], options.module)
    first, last = options.record
    stops = Stops(
        options.step, options.every, [Until(text) for text in options.until], [], first, last
    )
    return debug(program, stops, options.at == "backward", options.only, options.skip)


def _check_program(options: argparse.Namespace) -> int:
    if not options.program:
        raise UserError("check what? a script, a module:function, or --lesson two-layer")
    from rich.console import Console

    from .program import Program, show
    from .scripted import check_program, failed

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
            from .capsule import write_faults

            before = len(known)
            for said in list(write_faults(options.capsule, tape, report, known).values())[before:]:
                print(said, file=sys.stderr)

    return keep


def _junit(options: argparse.Namespace, report: Report, error: BaseException | None = None) -> None:
    if options.junit is None:
        return
    from .junit import junit

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


def _rules(options: argparse.Namespace) -> int:
    from . import catalogue

    if options.missing:
        lines = catalogue.missing()
    else:
        lines = catalogue.described(options.name) if options.name else catalogue.listing()
    for line in lines:
        print(line)
    return 0
