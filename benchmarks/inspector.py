"""A large tensor in the inspector: opened, paged through, and stepped over cell by cell."""

from __future__ import annotations

from .keys import repaint_rows
from .measure import Row, median, milliseconds, table
from .startup import APP, LESSON
from .terminal import Program

ROUNDS = 15
PRESSES = 60
BIG = "big = torch.randn(50000, 1000)"
PAGE_DOWN, DOWN = "\x1b[6~", "\x1b[B"


def evaluate(program: Program, source: str, quiet: float = 0.15) -> float:
    """Seconds from Enter to the last frame that an expression brings about."""
    program.press(":")
    program.press(source)
    return program.press("\r", quiet).last


def rows(rounds: int = ROUNDS) -> list[Row]:
    """The times from a key to the repainted screen."""
    with Program(APP) as program:
        program.wait_for(LESSON)
        program.settle()
        evaluate(program, BIG, 1)
        program.settle(2)
        opened = []
        for _ in range(rounds):
            program.press("s")
            opened.append(evaluate(program, "big"))
            program.settle()
        program.press("6")
        program.settle(2)
        moves = {key: [program.press(key) for _ in range(PRESSES)] for key in (PAGE_DOWN, DOWN)}
    return [
        milliseconds("open a tensor of 50,000 × 1,000", median(opened), 150),
        *repaint_rows("a page down in it", moves[PAGE_DOWN], 30),
        *repaint_rows("a cell down", moves[DOWN], 16),
    ]


if __name__ == "__main__":
    print(table(rows()))
