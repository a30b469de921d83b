"""The public Python interface: record, check, show, and rules of one's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from torch import nn

from . import check as checking
from . import tape as taping
from .recorder import Recorder
from .rules.registry import rule, sample

__all__ = ["Recording", "Tape", "record", "rule", "sample"]


class Tape(taping.Tape):
    """What was recorded, with what one does with it."""

    def check(
        self, progress: Callable[[int, int], bool] = lambda done, total: True
    ) -> checking.Report:
        """Compare manual with autograd in every backward pass. See `check.check`."""
        return checking.check(self, progress=progress)


class Recording(Recorder):
    """``with Recording(model) as tape``: see `record`."""

    def __enter__(self) -> Tape:
        return cast(Tape, super().__enter__())


def record(model: nn.Module | None = None) -> Recording:
    """Record what PyTorch does in a ``with`` block, and hand over its Tape.

    Args:
        model: names parameters and gives ops their module path; without it ops are
            recorded all the same.

    Observing changes no bit of what the program computes.
    """
    return Recording(model, Tape())
