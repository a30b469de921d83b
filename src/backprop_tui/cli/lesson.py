"""`backprop-tui lesson`: the lessons, on the screen or as a transcript."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from ..lessons import LESSONS, SIZES, intro, title
from .words import PROGRAM, number, positive

if TYPE_CHECKING:
    from ..lessons.two_layer import TwoLayer

_DTYPES = ("float32", "float64", "float16", "bfloat16")


def add(commands: Any) -> None:
    """Declare the command."""
    lesson = commands.add_parser("lesson", help="open a lesson (the default)")
    lesson.add_argument("name", nargs="?", default="two-layer", help="which one (see --list)")
    lesson.add_argument("--list", action="store_true", help="list the lessons and leave")
    lesson.add_argument(
        "--plain",
        action="store_true",
        help="a plain transcript instead of the screen, as where there is no terminal",
    )
    network(lesson)
    lesson.set_defaults(run=_lesson)


def network(parser: argparse.ArgumentParser) -> None:
    """Declare what makes a lesson's network, data and training."""
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
        group.add_argument(flag, type=positive, metavar="N", help=f"{text} (default {size})")
    group.add_argument("--lr", type=number, default=1e-4, help="learning rate (default 1e-4)")
    group.add_argument(
        "--iterations",
        type=positive,
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


def _lesson(options: argparse.Namespace) -> int:
    if options.list:
        for name, text in LESSONS.items():
            print(f"{name:<12}{text}")
        return 0
    known(options.name)
    if options.plain or not _has_terminal():
        return _transcript(options)
    from ..ui.app import launch

    options.iterations = options.iterations or 500
    sizes = {name: getattr(options, name) or size for name, size in SIZES.items()}
    return launch(lambda: opened(options), title(sizes["depth"]), intro(**sizes))


def _has_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def known(name: str) -> None:
    """Check that there is such a lesson."""
    if name not in LESSONS:
        import difflib

        near = difflib.get_close_matches(name, LESSONS, 1)
        hint = f"did you mean {near[0]}?" if near else f"there is: {', '.join(LESSONS)}"
        raise UserError(f"no lesson is called {name!r}: {hint} (see {PROGRAM} lesson --list)")


def opened(options: argparse.Namespace) -> TwoLayer:
    """The lesson that the options describe."""
    from ..lessons.options import parse
    from ..lessons.two_layer import TwoLayer

    return TwoLayer(parse(vars(options)))


def _transcript(options: argparse.Namespace) -> int:
    from ..compare import Verdict
    from ..report import AGREED
    from ..transcript import lines

    options.iterations = options.iterations or 1
    session = opened(options)
    verdict = Verdict.EXACT
    for iteration in range(1, session.iterations + 1):
        trace = session.trace(iteration)
        for line in lines(trace):
            print(line)
        verdict = verdict.or_worse(trace.worst())
    return 0 if verdict in AGREED else 1
