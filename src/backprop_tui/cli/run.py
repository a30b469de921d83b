"""`backprop-tui run`: a training script under the debugger."""

from __future__ import annotations

import argparse
from typing import Any

from ..errors import UserError
from .words import PROGRAM, positive, steps


def add(commands: Any) -> None:
    """Declare the command."""
    run = commands.add_parser(
        "run",
        help="run a training script under the debugger",
        usage=f"{PROGRAM} run [options] (SCRIPT | -m MODULE) [arguments]",
        description="Runs a script as python would, records its training steps, and opens the "
        "screen at the first, or where the options say.",
        epilog="conditions: nan, inf, different (manual and autograd differ), finding (something "
        "is wrong), or an expression over loss, step, median (of the losses so far), norm(…), "
        "grad[…] and the names of the screen: --until 'norm(grad[\"fc1.weight\"]) > 10'. "
        "Options stand before the script: what follows it is the script's own.",
    )
    run.add_argument("-m", dest="module", action="store_true", help="run a module, as python -m")
    _stops(run)
    _records(run)
    run.add_argument("program", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    run.set_defaults(run=_run)


def _stops(run: argparse.ArgumentParser) -> None:
    run.add_argument("--step", type=positive, metavar="N", help="stop at this training step")
    run.add_argument("--every", type=positive, metavar="N", help="stop at every N-th step")
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


def _records(run: argparse.ArgumentParser) -> None:
    run.add_argument(
        "--record",
        type=steps,
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


def _run(options: argparse.Namespace) -> int:
    if not options.program:
        raise UserError("run what? a script, or -m and a module")
    from ..debugging import debug
    from ..program import Program
    from ..stops import Stops, Until

    program = Program(options.program[0], options.program[1:], options.module)
    first, last = options.record
    stops = Stops(
        options.step, options.every, [Until(text) for text in options.until], [], first, last
    )
    return debug(program, stops, options.at == "backward", options.only, options.skip)
