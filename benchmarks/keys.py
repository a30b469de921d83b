"""From a key press to the repainted screen, seen from the terminal's side."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from .measure import Row, median, milliseconds, p95, table
from .startup import APP, LESSON
from .terminal import Program, Repaint

PRESSES = 100
# As a keyboard repeats a held key.
REPEAT = 1 / 30

KEYS = (
    ("s", "one line forward", "S"),
    ("n", "next op", "N"),
    ("}", "next iteration", "{"),
)


def pressed(program: Program, key: str, back: str, presses: int) -> list[Repaint]:
    """Time each press; after ten of them comes the same way back."""
    times = []
    for number in range(presses):
        times.append(program.press(key))
        if number % 10 == 9:
            for _ in range(10):
                program.press(back)
    return times


def held(program: Program, key: str, presses: int) -> float:
    """Seconds that the screen needs after the last press of a held key."""
    for _ in range(presses - 1):
        os.write(program.descriptor, key.encode())
        until = time.perf_counter() + REPEAT
        while (left := until - time.perf_counter()) > 0:
            program.read(left)
    return program.press(key).last


def repaint_rows(what: str, times: Sequence[Repaint], most: float) -> list[Row]:
    """The first frame and the last with an upper bound in ms, and how late the last can be."""
    first, last = zip(*times, strict=True)
    return [
        milliseconds(f"{what}: first frame", median(first), most),
        milliseconds("— last frame", median(last), most),
        milliseconds("— last frame, p95", p95(last)),
    ]


def rows(presses: int = PRESSES) -> list[Row]:
    """Each key pressed by itself, and how far a held key runs behind."""
    out = []
    with Program(APP) as program:
        program.wait_for(LESSON)
        program.settle()
        for key, what, back in KEYS:
            out += repaint_rows(f"`{key}`, {what}", pressed(program, key, back, presses), 16)
        lag = held(program, "s", presses)
    out.append(milliseconds(f"`s` held at 30 a second, {presses} times: lag of the last", lag))
    return out


if __name__ == "__main__":
    print(table(rows()))
