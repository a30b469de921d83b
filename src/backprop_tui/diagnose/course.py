"""How a training has gone so far."""

from __future__ import annotations

import math

from ..tape import Source
from .examined import Examined, Kept


class Course(Kept):
    """The losses of the steps before, whether one of them has had a NaN or inf already, and where
    the optimizer was made.
    """

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.found = False
        self.optimizer: Source | None = None

    def remember(self, examined: Examined) -> None:
        tape = examined.tape
        made = [event.source for event in tape.events if event.kind == "optimizer"]
        self.optimizer = made[-1] if made else self.optimizer
        for backward in tape.backwards[-1:]:
            root = tape.values[backward.roots[0]].tensor
            if root.numel() == 1 and not root.is_complex():
                self.losses.append(float(root))

    @property
    def said(self) -> str:
        """``the loss went 1.2, 84, 5.1e+07 before``, "" where it did not grow."""
        last = [loss for loss in self.losses[-4:] if math.isfinite(loss)]
        if len(last) < 2 or abs(last[-1]) < 10 * abs(last[0]):
            return ""
        return f"the loss went {', '.join(f'{loss:.2g}' for loss in last)} before"
