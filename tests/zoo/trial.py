"""One training step of a model of the zoo, observed and not, and checked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

import backprop_tui as bp
from backprop_tui.compare import Verdict, same_bits
from backprop_tui.report import AGREED

from . import built, loss_of

AUTOCAST = "autocast"


@dataclass(frozen=True)
class Trial:
    """What a training step gave.

    Attributes:
        ops: the names of the calls on the tape.
        same_bits: whether loss and gradients were the same unobserved.
        trained: the parameters that autograd gave a gradient.
        plain, checking: how long the unobserved step took, and the check of the observed one.
    """

    ops: tuple[str, ...]
    report: bp.Report
    same_bits: bool
    trained: frozenset[str]
    plain: float
    checking: float

    @property
    def rho(self) -> float:
        """The largest ρ of a parameter."""
        return max(row.rho for row in self.report.parameters)

    def complaints(self) -> Iterator[str]:
        """Why the model is not verified whole by rules alone; nothing if it is."""
        report, doubted = self.report, Verdict.UNVERIFIED.rank
        if not report.ok:
            yield str(report)
        if not self.same_bits:
            yield "observed, it computes other bits"
        if not self.trained <= {row.name for row in report.parameters}:
            yield f"not met: {sorted(self.trained - {row.name for row in report.parameters})}"
        if report.coverage.missing or report.coverage.unseen:
            yield f"without a rule, or unseen: {report.coverage}"
        yield from (str(row) for row in report.ops if row.isolated.rank >= doubted)
        if any(row.verdict not in AGREED for row in report.parameters):
            yield "a parameter does not agree"


def trial(
    name: str, seed: int = 0, training: bool = True, precision: Any = None, **options: Any
) -> Trial:
    """Train a model for one step, unobserved and then, built anew, observed.

    Args:
        precision: a dtype for model and batch, or `AUTOCAST` for bfloat16 where torch sees fit.
    """

    def step(observed: bool) -> tuple[Any, Tensor, dict[str, Tensor], float]:
        model, batch = built(name, seed, **options)
        model.train(training)
        if isinstance(precision, torch.dtype):
            model.to(precision)
            batch = {key: _cast(item, precision) for key, item in batch.items()}
        start = perf_counter()
        with bp.record(model) if observed else nullcontext() as tape:
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == AUTOCAST):
                loss = loss_of(model(**batch))
            loss.backward()
        taken = perf_counter() - start
        gradients = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
        return tape, loss.detach(), gradients, taken

    _, loss, gradients, plain = step(observed=False)
    tape, loss_seen, seen, _ = step(observed=True)
    same = same_bits(loss, loss_seen) and gradients.keys() == seen.keys()
    same = same and all(same_bits(gradients[n], seen[n]) for n in seen)
    start = perf_counter()
    report = tape.check()
    checking = perf_counter() - start
    names = tuple(op.name for op in tape.ops)
    return Trial(names, report, same, frozenset(seen), plain, checking)


def _cast(item: Any, dtype: torch.dtype) -> Any:
    return item.to(dtype) if isinstance(item, Tensor) and item.is_floating_point() else item
