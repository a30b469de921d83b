"""The public Python interface: record, check, show, watch, and rules of one's own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import cast

from torch import Tensor, nn

from . import check as checking
from . import tape as taping
from .errors import UserError
from .recorder import Recorder
from .report import Report
from .rules.registry import rule, sample
from .running import Running
from .stops import Stops, Until

__all__ = ["Recording", "Tape", "breakpoint", "record", "rule", "sample", "watch"]


class Tape(taping.Tape):
    """What was recorded, with what one does with it."""

    def check(
        self,
        numeric: bool = False,
        progress: Callable[[int, int], bool] = lambda done, total: True,
    ) -> Report:
        """Compare manual with autograd in every backward pass, op by op and all the way.

        Args:
            numeric: ask finite differences, in float64, about every op that is not verified, and
                name the one of three witnesses that stands alone.
            progress: told how many ops of how many are done; it answers False to stop.

        Raises:
            ValueError: if nothing was differentiated while the tape was recorded, or its tensors
                are on the meta device.
            judge.Cancelled: if `progress` answered False.
        """
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

    Observing changes no bit of what the program computes, and an exception of its own goes
    through. What other threads, TorchScript or torch.func compute is not recorded: the report
    names it as unseen, and no gradient that came through it is verified.

    Args:
        model: names parameters and gives ops their module path; without it ops are
            recorded all the same.

    Raises:
        RuntimeError: on entering, if another recording is running.
    """
    return Recording(model, Tape())


def watch(
    model: nn.Module | None = None,
    *,
    until: str | Sequence[str] = (),
    step: int | None = None,
    every: int | None = None,
) -> Running:
    """Watch the training steps of this program from here on, and open the screen where told.

    With no reason to stop given, it opens on the first step. ``with watch(…):`` watches a
    block; else `close` ends it, or the program's end, which leaves the last step unseen.

    Args:
        model: names parameters and modules; without it the models are found by themselves.
        until: conditions, as of ``backprop-tui run --until``: ``"nan"``, ``"loss > 2*median"``.
        step, every: stop at this training step, or at every n-th.

    Raises:
        UserError: if a condition is none, or there is no terminal to draw on.
    """
    from .debugging import watch_from_here

    conditions = [until] if isinstance(until, str) else until
    return watch_from_here(Stops(step, every, [Until(text) for text in conditions]), model)


def breakpoint(loss: Tensor | None = None) -> None:
    """Open the screen here; also ``PYTHONBREAKPOINT=backprop_tui.breakpoint``.

    In a program that is watched (by ``backprop-tui run`` or `watch`) it shows the step as it is
    so far. In any other, the next training step is recorded, and shown when it is over.

    Args:
        loss: show the step as if this were differentiated here. No `.grad` changes; hooks of
            your own do run.

    Raises:
        UserError: if there is no terminal to draw on.
    """
    running = Running.current
    if running is None:
        watch()
    else:
        running.stop_here("breakpoint", loss)
