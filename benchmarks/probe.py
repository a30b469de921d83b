"""One measurement in a process of its own: ``python -m benchmarks.probe time|memory CASE KIND``."""

from __future__ import annotations

import resource
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch

import backprop_tui as bp
from backprop_tui.backward import derive

from .measure import median
from .models import CASES, Case

ROUNDS = 7
SECONDS = 3.0


def plain(case: Case) -> Callable[[], object]:
    """Forward and backward."""

    def step() -> None:
        case.zero_grad()
        case(*case.batch).backward()

    return step


def recorded(case: Case) -> Callable[[], object]:
    """The same while it is recorded."""

    def step() -> None:
        case.zero_grad()
        with bp.record(case):
            case(*case.batch).backward()

    return step


def torchlens(case: Case) -> Callable[[], object]:
    """The same under torchlens, activations and gradients kept."""
    import torchlens as lens

    warnings.simplefilter("ignore")
    options = lens.options.CaptureOptions(save_grads=True)

    def step() -> None:
        case.zero_grad()
        trace = lens.trace(case, list(case.batch), capture=options)
        trace.log_backward(trace[trace.output_layers[0]].out)

    return step


def taped(case: Case) -> bp.Tape:
    """A tape of one step."""
    with bp.record(case) as tape:
        case(*case.batch).backward()
    return tape


def manual(case: Case) -> Callable[[], object]:
    """The whole derivation by hand, from a tape."""
    tape = taped(case)
    return lambda: derive(tape, tape.backwards[0])


def check(case: Case) -> Callable[[], object]:
    """Derived by hand, chained and isolated, and measured against float64, from a tape."""
    tape = taped(case)
    return tape.check


KINDS = {f.__name__: f for f in (plain, recorded, torchlens, manual, check)}


def timed(step: Callable[[], object]) -> float:
    """Seconds that one call took."""
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def compared(case: Case, kind: str) -> float:
    """The time of `kind` over plain's: medians of calls in turn, for some seconds."""
    first, second = plain(case), KINDS[kind](case)
    first(), second()
    pairs: list[tuple[float, float]] = []
    until = time.perf_counter() + SECONDS
    while len(pairs) < ROUNDS or time.perf_counter() < until:
        pairs.append((timed(first), timed(second)))
    base, other = (median(times) for times in zip(*pairs, strict=True))
    return other / base


def peak(case: Case, kind: str) -> float:
    """Bytes that one call needed at most, over what stood in memory before."""
    step = KINDS[kind](case)
    before = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    step()
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before


if __name__ == "__main__":
    what, name, kind = sys.argv[1:]
    torch.manual_seed(0)
    print((compared if what == "time" else peak)(CASES[name](), kind))
