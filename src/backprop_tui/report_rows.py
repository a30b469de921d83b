"""The rows of a report: what a check found of one leaf, op, update or training step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from .compare import Verdict


@dataclass(frozen=True)
class ParameterRow:
    """One leaf that got a gradient in a backward pass: a parameter, or an input.

    UNVERIFIED where a gradient came through an op without a rule, or through what the recorder
    did not see; the figures are NaN where there was nothing to compare. See `compare.Comparison`.

    Attributes:
        step: the backward pass, from 0.
        rho: autograd's distance from the float64 truth, in units of what rounding explains.
        max_abs, max_rel, ulps: the largest differences of an element.
        nonfinite: how many elements of the manual gradient are NaN or infinite.
    """

    step: int
    name: str
    shape: tuple[int, ...]
    verdict: Verdict
    rho: float
    max_abs: float
    max_rel: float
    ulps: float
    nonfinite: int

    def to_dict(self) -> dict[str, Any]:
        """Its part of the JSON; numbers that JSON cannot hold are null."""
        return {
            "name": self.name,
            "shape": list(self.shape),
            "verdict": str(self.verdict),
            "rho": _number(self.rho),
            "max_abs": _number(self.max_abs),
            "max_rel": _number(self.max_rel),
        }


@dataclass(frozen=True)
class OpRow:
    """One op that carries gradient; `rule` is None where torch's own derivative stood in.

    `alone`, of a check with `numeric`, names the one of three witnesses that contradicts the
    others (`numeric.standing_alone`). `failure` says why a rule that there is was not used.
    """

    step: int
    index: int
    op: str
    module: str
    source: str
    rule: str | None
    isolated: Verdict
    chained: Verdict
    alone: str = ""
    failure: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Its part of the JSON."""
        return {
            "op": self.op,
            "module": self.module,
            "rule": self.rule,
            "isolated": str(self.isolated),
            "chained": str(self.chained),
        }


@dataclass(frozen=True)
class UpdateRow:
    """One parameter's update by an optimizer.

    `gradient` says whether the gradient that it used is what the backward passes left, with
    clipping accounted for; UNVERIFIED where something else changed it. `verdict` compares the
    parameter after it with the update rule's; UNCHECKED where the optimizer has none.
    """

    optimizer: str
    name: str
    gradient: Verdict
    verdict: Verdict
    rho: float

    def to_dict(self) -> dict[str, Any]:
        """Its part of the JSON; numbers that JSON cannot hold are null."""
        return {
            "optimizer": self.optimizer,
            "name": self.name,
            "gradient": str(self.gradient),
            "verdict": str(self.verdict),
            "rho": _number(self.rho),
        }


@dataclass(frozen=True)
class Coverage:
    """What could be checked by rules.

    Attributes:
        ruled: how many of the `total` ops that carry gradient have a rule.
        missing: the names of those that have none.
        unseen: the names of autograd's nodes that no recorded op made.
        failed: why a rule that there is was not used.
    """

    ruled: int
    total: int
    missing: tuple[str, ...]
    unseen: tuple[str, ...]
    failed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """One backward pass: its loss (None where it is no scalar), its leaves and its ops."""

    loss: float | None
    parameters: tuple[ParameterRow, ...]
    ops: tuple[OpRow, ...]

    def to_dict(self) -> dict[str, Any]:
        """Its part of the JSON; numbers that JSON cannot hold are null."""
        return {
            "loss": _number(self.loss),
            "parameters": [row.to_dict() for row in self.parameters],
            "ops": [row.to_dict() for row in self.ops],
        }


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
