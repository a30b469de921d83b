"""What a training loop costs under `backprop-tui run` and `check`, over the same loop run plainly.

All run in turns in one process. Under `run` the steps that nothing asks for are left alone, and
without a stop all are recorded, so that an exception finds its tape; `check` judges each, and its
detectors look for what is wrong.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest import mock

import torch

from backprop_tui import scripted
from backprop_tui.diagnose import Diagnosis
from backprop_tui.finding import Finding
from backprop_tui.program import Program
from backprop_tui.running import Answer, Running
from backprop_tui.scripted import check_program
from backprop_tui.stepper import Pace
from backprop_tui.stops import Stops, Until

from .measure import Row, median, ratio, table
from .models import CASES, Case

ROUNDS, CHECKS, STEPS = 9, 3, 4
UNRECORDED = 1.02


def trained(case: Case, optimizer: torch.optim.Optimizer) -> float:
    """Seconds that a few training steps take."""
    start = time.perf_counter()
    for _ in range(STEPS):
        optimizer.zero_grad()
        case(*case.batch).backward()
        optimizer.step()
    return time.perf_counter() - start


def plain(case: Case, optimizer: torch.optim.Optimizer) -> float:
    """The same when they have just been taken, as those that are compared with it."""
    trained(case, optimizer)
    return trained(case, optimizer)


def watched(wanted: Callable[[int], bool], case: Case, optimizer: torch.optim.Optimizer) -> float:
    """The same in a program that is watched; the first step, in which it begins, is not timed."""
    with Pace(wanted, lambda number, tape: None):
        trained(case, optimizer)
        return trained(case, optimizer)


def sought(case: Case, optimizer: torch.optim.Optimizer) -> float:
    """The same under ``run --until nan``, which looks through every step and finds none."""
    with Running(lambda stop: Answer.CONTINUE, Stops(until=[Until("nan")])):
        trained(case, optimizer)
        return trained(case, optimizer)


def tiny() -> None:
    """A program: the small loop, as ``check benchmarks.running:tiny`` runs it."""
    trained(*made("tiny MLP 128×3"))


def wide() -> None:
    """A program: the large loop."""
    trained(*made("MLP 1024×8"))


def made(name: str) -> tuple[Case, torch.optim.Optimizer]:
    """A model and its optimizer."""
    torch.manual_seed(0)
    case = CASES[name]()
    return case, torch.optim.SGD(case.parameters(), lr=1e-4)


def taken(job: Callable[[], object]) -> float:
    """Seconds that it takes, as a rule."""

    def once() -> float:
        start = time.perf_counter()
        job()
        return time.perf_counter() - start

    return median([once() for _ in range(CHECKS)])


@contextmanager
def detecting() -> Iterator[list[float]]:
    """The seconds that every examination of a step takes here, where it is judged already."""
    seconds: list[float] = []

    class Timed(Diagnosis):
        def examine(self, *args: Any, **options: Any) -> tuple[Finding, ...]:
            start = time.perf_counter()
            found = super().examine(*args, **options)
            seconds.append(time.perf_counter() - start)
            return found

    with mock.patch.object(scripted, "Diagnosis", Timed):
        yield seconds


def rows() -> Iterator[Row]:
    """A loop whose steps are left alone, recorded, looked through, and checked."""
    for name, loop in (("tiny MLP 128×3", "tiny"), ("MLP 1024×8", "wide")):
        case, optimizer = made(name)
        program = Program(f"{__package__}.running:{loop}")
        bare, left, kept, looked = [], [], [], []
        for _ in range(ROUNDS):
            bare.append(plain(case, optimizer))
            left.append(watched(lambda number: False, case, optimizer))
            kept.append(watched(lambda number: True, case, optimizer))
            looked.append(sought(case, optimizer))
        once = median(bare)
        yield ratio(f"{name}: unrecorded steps, over plain", median(left) / once, UNRECORDED)
        yield ratio("— recorded steps: `run` without a stop", median(kept) / once)
        yield ratio("— steps looked through: `run --until nan`", median(looked) / once)
        ran = taken(program.run)
        with detecting() as seconds:
            checked = taken(partial(check_program, program))
        yield ratio("— the whole loop under `check`", checked / ran)
        yield ratio("— of that the detectors of findings", sum(seconds) / CHECKS / ran)


if __name__ == "__main__":
    print(table(rows()))
