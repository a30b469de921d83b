"""From the command to the first frame, and to the lesson."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from .measure import Row, median, milliseconds, ratio, table
from .smallest import PAINTED
from .terminal import Program

ROUNDS = 11
APP = (sys.executable, "-m", "backprop_tui")
SMALLEST = (sys.executable, "-m", "benchmarks.smallest")
TORCH = (sys.executable, "-c", "import torch; print('IMPORTED')")

# Painted in the first frame, and only once the lesson's first step has been recorded.
FRAME, LESSON = "4 autograd", "iteration 1/500"


def painted(command: Sequence[str], *texts: str) -> list[float]:
    """Seconds until each of the texts, in order, was painted by a fresh process."""
    with Program(command) as program:
        return [program.wait_for(text) for text in texts]


def rows(rounds: int = ROUNDS) -> list[Row]:
    """Medians over fresh processes, taken in turn, after one round that warms the disk cache."""
    turns = []
    for _ in range(rounds + 1):
        [smallest] = painted(SMALLEST, PAINTED)
        [torch] = painted(TORCH, "IMPORTED")
        turns.append((smallest, torch, *painted(APP, FRAME, LESSON)))
    smallest, torch, frame, lesson = (median(times) for times in zip(*turns[1:], strict=True))
    return [
        milliseconds("first frame of the smallest Textual app", smallest),
        milliseconds("first frame of backprop-tui", frame),
        ratio("— over the smallest app", frame / smallest, 1.2),
        milliseconds("`python -c 'import torch'`", torch),
        milliseconds("lesson ready", lesson),
        milliseconds("— more than `import torch`", lesson - torch, 400),
    ]


if __name__ == "__main__":
    print(table(rows()))
