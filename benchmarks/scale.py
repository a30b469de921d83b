"""The screen on large tapes, GPT-2 small and 100,000 ops, beside the lesson."""

from __future__ import annotations

import os
import sys
import time

from .keys import pressed, repaint_rows
from .measure import Row, milliseconds, table
from .startup import APP, LESSON
from .terminal import Program

PRESSES = 20
OPS = 100_000
TAPES = ("gpt", "loop")
KEYS = (("s", "one line forward", "S"), ("n", "next op", "N"))


def opened(name: str) -> None:
    """Record a tape, and say on the terminal that it is there before showing it."""
    import torch

    import backprop_tui as bp

    torch.manual_seed(0)
    if name == "gpt":
        from .models import gpt2

        case = gpt2()
        with bp.record(case) as tape:
            case(*case.batch).backward()
    else:
        with bp.record() as tape:
            loop(OPS // 4)
    print("RECORDED", flush=True)
    tape.show(name)


def loop(times: int) -> None:
    """A scalar recurrence, and its gradient."""
    import torch

    decay, drift = (torch.tensor(number, requires_grad=True) for number in (0.9, 0.1))
    h = torch.tensor(0.5)
    for _ in range(times):
        z = decay * h
        z = z + drift
        h = torch.tanh(z)
        h = h * 1.01
    h.backward()


def key_rows(name: str, program: Program, presses: int) -> list[Row]:
    """Each key by itself, and the letters of a search while it is typed."""
    rows = []
    for key, what, back in KEYS:
        times = pressed(program, key, back, presses)
        rows += repaint_rows(f"{name}: `{key}`, {what}", times, 16)
    program.press("/")
    letters = [program.press(letter, quiet=0.05).first for letter in "linear"]
    rows.append(milliseconds("— a letter of a search: first frame, the slowest", max(letters)))
    return rows


def answered(program: Program, key: str, text: str) -> float:
    """Seconds from a key to the text that answers it, among frames of other things."""
    program.output.clear()
    os.write(program.descriptor, key.encode())
    pressed_at = time.perf_counter()
    program.wait_for(text, timeout=600)
    return time.perf_counter() - pressed_at


def tape_rows(name: str, presses: int) -> list[Row]:
    """From the recorded tape to the first step, to the end of the check, and then each key."""
    with Program((sys.executable, "-m", "benchmarks.scale", name)) as program:
        program.wait_for("RECORDED", timeout=300)
        began = time.perf_counter()
        program.wait_for("forward 1/", timeout=300)
        rows = [
            milliseconds(f"{name}: from the tape to its first step", time.perf_counter() - began)
        ]
        during = [answered(program, *asked) for asked in (("s", "step 2/"), ("S", "step 1/")) * 4]
        rows.append(milliseconds("— `s` during its check, the slowest", max(during)))
        program.wait_for("backward by hand", timeout=600)
        rows.append(milliseconds("— to the end of its check", time.perf_counter() - began))
        program.settle()
        return rows + key_rows(name, program, presses)


def rows(presses: int = PRESSES) -> list[Row]:
    """The lesson first, as the measure of the others."""
    with Program(APP) as program:
        program.wait_for(LESSON)
        program.settle()
        out = key_rows("lesson", program, presses)
    return out + [row for name in TAPES for row in tape_rows(name, presses)]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        opened(sys.argv[1])
    else:
        print(table(rows()))
