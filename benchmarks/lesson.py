"""What it costs to record a training step, derive it by hand, and compare every value."""

from __future__ import annotations

import time
from collections.abc import Callable

from backprop_tui.lessons.two_layer import Options, TwoLayer

from .measure import Row, median, milliseconds, ratio, table

ROUNDS = 40

SIZES = (
    ("the lesson, 2×3×4×5", Options()),
    ("64×1000×100×10", Options(n=64, d_in=1000, hidden=100, d_out=10, lr=1e-6)),
)


def timed(work: Callable[[], object]) -> float:
    """Seconds that one call took."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def step_rows(name: str, options: Options, rounds: int) -> list[Row]:
    """A plain step and a debugged one, in turn, each on a session of its own."""
    plain, debugged = TwoLayer(options), TwoLayer(options)
    pairs = [
        (timed(lambda: plain.train(i)), timed(lambda: debugged.trace(i)))  # noqa: B023
        for i in range(1, rounds + 1)
    ]
    step, trace = (median(times) for times in zip(*pairs[2:], strict=True))
    return [
        milliseconds(f"a plain training step of {name}", step),
        milliseconds("— recorded, derived by hand, compared", trace),
        ratio("— over the plain step", trace / step),
    ]


def travel_rows(rounds: int) -> list[Row]:
    """The long ways: through all iterations, and back over most of them."""
    through = []
    back = []
    for _ in range(rounds):
        session = TwoLayer()
        through.append(timed(lambda: session.run_to(session.iterations)))  # noqa: B023
        back.append(timed(lambda: session.trace(1)))  # noqa: B023
    return [
        milliseconds("run the lesson to iteration 500", median(through)),
        milliseconds("back to iteration 1 from there", median(back)),
    ]


def rows(rounds: int = ROUNDS) -> list[Row]:
    """Steps at the lesson's size and at a larger one, and travel between iterations."""
    steps = [row for name, options in SIZES for row in step_rows(name, options, rounds)]
    return steps + travel_rows(max(3, rounds // 10))


if __name__ == "__main__":
    print(table(rows()))
