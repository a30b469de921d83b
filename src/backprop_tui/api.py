"""The public Python interface: record, check, show, and rules of one's own."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import cast

from torch import nn

from . import check as checking
from . import tape as taping
from .errors import UserError
from .recorder import Recorder
from .report import Report
from .rules.registry import rule, sample

__all__ = ["Recording", "Tape", "record", "rule", "sample"]


class Tape(taping.Tape):
    """What was recorded, with what one does with it."""

    def check(
        self,
        numeric: bool = False,
        progress: Callable[[int, int], bool] = lambda done, total: True,
    ) -> Report:
        """Compare manual with autograd in every backward pass. See `check.check`."""
        return checking.check(self, numeric=numeric, progress=progress)

    def show(self, title: str = "tape") -> None:
        """Open the screen on this tape; returns when it is closed.

        Raises:
            UserError: if nothing was recorded, or there is no terminal to draw on.
        """
        if not self.ops:
            raise UserError("nothing to show: no operation on a tensor was recorded")
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise UserError("there is no terminal to draw on: print(tape.check()) says the same")
        from .overview import TapeSession
        from .ui.app import launch

        launch(lambda: TapeSession.of(self, title), title)


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
