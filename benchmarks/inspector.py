"""A large tensor in the inspector: opened, paged through, and stepped over cell by cell."""

from __future__ import annotations

import sys

from .keys import repaint_rows
from .measure import Row, median, milliseconds, table
from .startup import APP, LESSON
from .terminal import Program

ROUNDS = 15
PRESSES = 60
SHAPE = "50000, 1000"
MAKE = f"torch.randn({SHAPE})"
PAGE_DOWN, DOWN = "\x1b[6~", "\x1b[B"

PLAIN = (
    "import time, torch\n"
    "times = []\n"
    f"for _ in range({ROUNDS}):\n"
    "    start = time.perf_counter()\n"
    f"    {MAKE}\n"
    "    times.append(time.perf_counter() - start)\n"
    "print('MEDIAN', sorted(times)[len(times) // 2], 'END')\n"
)


def evaluate(program: Program, source: str, quiet: float = 0.15) -> float:
    """Seconds from Enter to the last frame that an expression brings about."""
    program.press(":")
    program.press(source)
    return program.press("\r", quiet).last


def plain() -> float:
    """Seconds that making the tensor takes with no program around it."""
    with Program((sys.executable, "-c", PLAIN)) as program:
        program.wait_for("END")
        return float(program.output.split()[1])


def rows(rounds: int = ROUNDS) -> list[Row]:
    """The times from a key to the repainted screen."""
    with Program(APP) as program:
        program.wait_for(LESSON)
        program.settle()
        evaluate(program, f"big = {MAKE}", 1)
        program.settle(2)
        opened = []
        for _ in range(rounds):
            program.press("s")
            opened.append(evaluate(program, "big"))
            program.settle()
        program.press("6")
        program.settle(2)
        moves = {key: [program.press(key) for _ in range(PRESSES)] for key in (PAGE_DOWN, DOWN)}
        made = evaluate(program, MAKE, 1)
    return [
        milliseconds(f"open a tensor of ({SHAPE})", median(opened), 150),
        *repaint_rows("a page down in it", moves[PAGE_DOWN], 30),
        *repaint_rows("a cell down", moves[DOWN], 16),
        milliseconds(f"`:{MAKE}`, making it included", made),
        milliseconds(f"— `{MAKE}` alone", plain()),
    ]


if __name__ == "__main__":
    print(table(rows()))
