"""What a training loop costs under `backprop-tui run`, over the same loop run plainly.

All three run in turns in one process: plain, watched with no step recorded, and recorded.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import torch

from backprop_tui.stepper import Pace

from .measure import Row, median, ratio, table
from .models import CASES, Case

ROUNDS, STEPS = 9, 4
UNRECORDED = 1.02


def trained(case: Case, optimizer: torch.optim.Optimizer) -> float:
    """Seconds that a few training steps take."""
    start = time.perf_counter()
    for _ in range(STEPS):
        optimizer.zero_grad()
        case(*case.batch).backward()
        optimizer.step()
    return time.perf_counter() - start


def watched(wanted: Callable[[int], bool], case: Case, optimizer: torch.optim.Optimizer) -> float:
    """The same in a program that is watched; the first step, in which it begins, is not timed."""
    with Pace(wanted, lambda number, tape: None):
        trained(case, optimizer)
        return trained(case, optimizer)


def rows() -> Iterator[Row]:
    """A loop whose steps are left alone, and one whose steps are all recorded."""
    for name in ("tiny MLP 128×3", "MLP 1024×8"):
        torch.manual_seed(0)
        case = CASES[name]()
        optimizer = torch.optim.SGD(case.parameters(), lr=1e-4)
        trained(case, optimizer)
        plain, left, kept = [], [], []
        for _ in range(ROUNDS):
            plain.append(trained(case, optimizer))
            left.append(watched(lambda number: False, case, optimizer))
            kept.append(watched(lambda number: True, case, optimizer))
        yield ratio(
            f"{name}: unrecorded steps, over plain", median(left) / median(plain), UNRECORDED
        )
        yield ratio("— recorded steps", median(kept) / median(plain))


if __name__ == "__main__":
    print(table(rows()))
