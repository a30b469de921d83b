"""The screen on large tapes, GPT-2 small and 100,000 ops under modules, beside one of 1,000."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from .keys import pressed, repaint_rows
from .measure import Row, median, milliseconds, ratio, table
from .startup import APP, LESSON
from .terminal import Program

PRESSES = 20
TAPES = ("1,000 ops", "100,000 ops", "GPT-2 124M")
STEPS = (("s", "one line forward", "S"), ("n", "next op", "N"), ("]", "next layer", "["))
JUMPS = (
    ("\x1b[F", "to the last step"),
    ("\x1b[H", "to the first"),
    ("f", "to the end of the phase"),
    ("x", "to the first fault"),
    ("-", "fold all"),
    ("+", "unfold all"),
    ("p", "made from, read by"),
)
OPENED, DURING, JUMP = 1500, 100, 50  # ms at most


def opened(name: str) -> None:
    """Record a tape, and say on the terminal that it is there before showing it."""
    import torch

    import backprop_tui as bp

    from .models import chain, gpt2

    torch.manual_seed(0)
    case = gpt2() if name.startswith("GPT") else chain(ops=int(name.split()[0].replace(",", "")))
    with bp.record(case) as tape:
        case(*case.batch).backward()
    print("RECORDED", flush=True)
    tape.show(name)


def key_rows(name: str, program: Program, presses: int) -> Iterator[Row]:
    """Each key by itself, and the letters of a search while it is typed."""
    for key, what, back in STEPS:
        times = pressed(program, key, back, presses)
        yield from repaint_rows(f"{name}: `{key}`, {what}", times, JUMP)
    for key, what in JUMPS:
        label = {"\x1b[F": "end", "\x1b[H": "home"}.get(key, key)
        yield milliseconds(f"— `{label}`, {what}: first frame", program.press(key).first, JUMP)
    program.press("\x1b")
    program.press("/")
    letters = [program.press(letter, quiet=0.05).first for letter in "linear"]
    yield milliseconds("— a letter of a search: first frame, the slowest", max(letters), JUMP)


def answered(program: Program, key: str, text: str) -> float:
    """Seconds from a key to the text that answers it, among frames of other things."""
    program.output.clear()
    os.write(program.descriptor, key.encode())
    pressed_at = time.perf_counter()
    program.wait_for(text, timeout=600)
    return time.perf_counter() - pressed_at


def opening(name: str, program: Program) -> float:
    """Seconds from a recorded tape to its first step on the screen."""
    program.wait_for("RECORDED", timeout=300)
    began = time.perf_counter()
    program.wait_for("forward 1/", timeout=300)
    return time.perf_counter() - began


def tape_rows(name: str, presses: int, smallest: float) -> Iterator[Row]:
    """From the recorded tape to the first step, to the end of the check, and then each key.

    Args:
        smallest: seconds that the screen takes to open on a small tape.
    """
    with Program((sys.executable, "-m", "benchmarks.scale", name)) as program:
        seconds = opening(name, program)
        yield milliseconds(f"{name}: from the tape to its first step", seconds, OPENED)
        yield ratio(f"— over {TAPES[0]}", seconds / smallest)
        began = time.perf_counter()
        during = [answered(program, *asked) for asked in (("s", "step 2/"), ("S", "step 1/")) * 8]
        yield milliseconds("— `s` from then on, during its check", median(during), DURING)
        yield milliseconds("— the slowest", max(during))
        program.wait_for("backward by hand", timeout=900)
        yield milliseconds("— to the end of its check", time.perf_counter() - began)
        program.settle()
        yield from key_rows(name, program, presses)
        yield Row("— peak memory", f"{peak_memory(program.pid)} MB")


def peak_memory(process: int) -> str:
    """The most that a process has had in memory, in MB; Linux alone tells it."""
    status = Path(f"/proc/{process}/status")
    if not status.exists():
        return "?"
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return f"{int(line.split()[1]) / 1024:,.0f}"


def rows(presses: int = PRESSES) -> list[Row]:
    """The lesson first, as the measure of keys, then the tapes."""
    with Program(APP) as program:
        program.wait_for(LESSON)
        program.settle()
        out = list(key_rows("lesson", program, presses))
    with Program((sys.executable, "-m", "benchmarks.scale", TAPES[0])) as program:
        smallest = opening(TAPES[0], program)
    return out + [row for name in TAPES for row in tape_rows(name, presses, smallest)]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        opened(sys.argv[1])
    else:
        print(table(rows()))
