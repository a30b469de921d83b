"""Gradients that half precision is too coarse for."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from ..finding import Finding, Severity
from ..judge import Judged
from ..numeric import widen
from ..tape import Op
from ..visit import isolate
from ..witness import summed
from .examined import Examined

ZERO_SHARE, LOST_SHARE = 0.1, 0.2
"""Where so many numbers of a gradient are 0 it is computed once more in float64, and where so many
of those that are not 0 there have become 0, they are lost."""


def half_underflow(examined: Examined) -> Iterator[Finding]:
    """Gradients that underflow in float16.

    Where a float16 gradient has many zeros, the op that made it is derived once more in
    float64, from the same incoming gradient: what is not 0 there was too small for float16.
    """
    for judged in examined.judged:
        for op in reversed(judged.ops):
            lost = _lost(judged, op)
            if lost >= LOST_SHARE:
                yield Finding.at(
                    op,
                    "half-underflow",
                    Severity.WARNING,
                    f"{lost:.0%} of what {op.name} passes back is 0 in float16, and not in float64",
                    "float16 has no number between 0 and 6e-8, and few digits below 6e-5.",
                    "Scale the loss with torch.amp.GradScaler, or use bfloat16.",
                )
                break


def _lost(judged: Judged, op: Op) -> float:
    """The largest share of an input's gradient that float16 has made 0."""
    cotangents = judged.backward.cotangents
    suspects = {
        value: cotangents[value]
        for value in op.inputs
        if value in cotangents and cotangents[value].dtype is torch.float16
    }
    if not any(float((grad == 0).float().mean()) > ZERO_SHARE for grad in suspects.values()):
        return 0.0
    truth = summed(op, isolate(judged.backward, op, convert=widen).outgoing)
    shares = [
        float((grad[truth[value] != 0] == 0).float().mean())
        for value, grad in suspects.items()
        if value in truth and value not in judged.backward.shared
    ]
    return max(shares, default=0.0)
