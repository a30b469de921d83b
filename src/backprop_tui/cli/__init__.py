"""The command line: arguments only, handed to the part that does what was asked for.

Each command has a file that declares its options and reads them.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from ..errors import UserError
from . import check, lesson, run
from .words import PROGRAM

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
        self.exit(2, f"{PROGRAM}: {message} (see {self.prog} --help)\n")


class _Version(argparse.Action):
    """Looks the version up only when it is asked for, which takes as long as a whole start."""

    def __call__(self, *_: object) -> NoReturn:
        from importlib.metadata import version

        print(f"{PROGRAM} {version(PROGRAM)}")
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
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of our output, less or head, has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


_GLOBAL_FLAGS = ("-h", "--help", "--version")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog=PROGRAM,
        description="The debugger for backpropagation: single-step a training step of a PyTorch "
        "program, with every gradient derived by hand beside autograd's.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and leave")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    lesson.add(commands)
    run.add(commands)
    check.add(commands)

    rules = commands.add_parser("rules", help="show a rule, or list them all")
    rules.add_argument("name", nargs="?", help="of a rule or a torch function, such as softmax")
    rules.add_argument("--missing", action="store_true", help="list what still has no rule")
    rules.set_defaults(run=_rules)
    return parser


def _rules(options: argparse.Namespace) -> int:
    from .. import catalogue, covered

    if options.missing:
        lines = covered.missing()
    else:
        lines = catalogue.described(options.name) if options.name else catalogue.listing()
    for line in lines:
        print(line)
    return 0
