"""What recording and checking a model cost, over its plain forward and backward pass.

Every figure is a ratio from one process of its own (`probe`), which takes both sides in turn.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec

from .measure import Row, ratio, table
from .models import CASES

RECORDED = {"tiny MLP 128×3": 2.0, "MLP 1024×8": 1.15, "GPT-2 124M": 1.30, "ResNet-18": 1.30}
MANUAL, CHECK, MEMORY = 1.3, 6.0, 1.7
LARGE = "GPT-2 124M"
TORCHLENS = find_spec("torchlens") is not None


def probed(what: str, case: str, kind: str) -> float:
    """What a fresh process measured."""
    command = [sys.executable, "-m", "benchmarks.probe", what, case, kind]
    # One thread, or a machine that is busy elsewhere would hold up whoever waits for two.
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    return float(done.stdout.split()[-1])


def time_rows(case: str) -> Iterator[Row]:
    """Recorded, beside torchlens where it is installed; by hand alone; and the whole check."""
    yield ratio(f"{case}: recorded, over plain", probed("time", case, "recorded"), RECORDED[case])
    if TORCHLENS:
        yield ratio("— by torchlens, with its gradients", probed("time", case, "torchlens"))
    else:
        yield Row("— by torchlens, with its gradients", "not installed")
    yield ratio("— derived by hand", probed("time", case, "manual"), MANUAL)
    yield ratio("— checked: chained, isolated, float64", probed("time", case, "check"), CHECK)


def memory_rows() -> Iterator[Row]:
    """The most memory that a step needs over what stands before it."""
    plain = probed("memory", LARGE, "plain")
    yield Row(f"{LARGE}: peak memory of a plain step", f"{plain / 2**20:.0f} MiB")
    recorded = probed("memory", LARGE, "recorded")
    yield ratio("— recorded, over plain", recorded / plain, MEMORY)
    if TORCHLENS:
        yield ratio("— by torchlens", probed("memory", LARGE, "torchlens") / plain)
    yield ratio("— checked", probed("memory", LARGE, "check") / plain)


def rows() -> list[Row]:
    """Times of every model, and the memory of the largest."""
    return [row for case in CASES for row in time_rows(case)] + list(memory_rows())


if __name__ == "__main__":
    print(table(rows()))
