"""Manual against autograd for a whole tape: every op alone, and the chain from loss to leaves."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from .backward import Derivation, Visit, derive
from .compare import Comparison, Verdict, unchecked
from .compare import worst as worst_of
from .numeric import check_function
from .rules import registry
from .tape import Backward, Op, Tape
from .witness import Witness

VERSION = 1
"""Of the JSON's shape; it grows when a field changes its meaning or goes."""

AGREED = (Verdict.EXACT, Verdict.ROUNDING)


@dataclass(frozen=True)
class ParameterRow:
    """One leaf that requires grad: a parameter, or an input. See `compare.Comparison`."""

    step: int
    name: str
    shape: tuple[int, ...]
    verdict: Verdict
    rho: float
    max_abs: float
    max_rel: float
    ulps: float
    nonfinite: int


@dataclass(frozen=True)
class OpRow:
    """One op that carries gradient; `rule` is None where torch's own derivative stood in."""

    step: int
    index: int
    op: str
    module: str
    source: str
    rule: str | None
    isolated: Verdict
    chained: Verdict


@dataclass(frozen=True)
class Coverage:
    """How many of the ops that carry gradient have a rule, and which have none."""

    ruled: int
    total: int
    missing: tuple[str, ...]
    unseen: tuple[str, ...]


@dataclass(frozen=True)
class Step:
    """One backward pass: its loss (None where it is no scalar), its leaves and its ops."""

    loss: float | None
    parameters: tuple[ParameterRow, ...]
    ops: tuple[OpRow, ...]


@dataclass(frozen=True)
class Report:
    """What `check` found. ``print(report)`` shows it as a table."""

    steps: tuple[Step, ...]
    coverage: Coverage
    warning: str = ""

    @property
    def parameters(self) -> tuple[ParameterRow, ...]:
        """The rows of all steps, one for each leaf that requires grad."""
        return tuple(row for step in self.steps for row in step.parameters)

    @property
    def ops(self) -> tuple[OpRow, ...]:
        """The rows of all steps, one for each op that carries gradient, in forward order."""
        return tuple(row for step in self.steps for row in step.ops)

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of any leaf, or of any op alone that autograd disagrees on."""
        found = [row.verdict for row in self.parameters]
        found += [row.isolated for row in self.ops if row.isolated is Verdict.DIFFERENT]
        return max(found, key=lambda verdict: verdict.rank, default=Verdict.UNCHECKED)

    @property
    def ok(self) -> bool:
        """Whether every leaf's gradient is verified: exact or rounding, by rules alone."""
        return self.verdict in AGREED

    @property
    def worst(self) -> ParameterRow | OpRow | None:
        """The first op that is wrong by itself, else the leaf with the worst verdict."""
        culprit = next((row for row in self.ops if row.isolated is Verdict.DIFFERENT), None)
        return culprit or max(self.parameters, key=_badness, default=None)

    def to_dict(self) -> dict[str, Any]:
        """The stable JSON of ``check --json``; numbers that JSON cannot hold are null.

        ``{"version", "steps": [{"loss", "parameters": [{"name", "shape", "verdict", "rho",
        "max_abs", "max_rel"}], "ops": [{"op", "module", "rule", "isolated", "chained"}]}],
        "verdict"}``
        """
        return {
            "version": VERSION,
            "steps": [_step_dict(step) for step in self.steps],
            "verdict": str(self.verdict),
        }

    @classmethod
    def joined(cls, reports: Sequence[Report]) -> Report:
        """The steps of several tapes as one report."""
        steps = tuple(step for report in reports for step in report.steps)
        names = sorted({name for report in reports for name in report.coverage.missing})
        unseen = sorted({name for report in reports for name in report.coverage.unseen})
        ruled = sum(report.coverage.ruled for report in reports)
        total = sum(report.coverage.total for report in reports)
        coverage = Coverage(ruled, total, tuple(names), tuple(unseen))
        return cls(steps, coverage, reports[0].warning)

    def __rich__(self) -> Any:
        from .report import render

        return render(self)

    def __str__(self) -> str:
        from rich.console import Console

        console = Console(width=100, force_terminal=False)
        with console.capture() as capture:
            console.print(self)
        return capture.get().rstrip()


def check(
    tape: Tape,
    *,
    given: Mapping[int, Tensor] | None = None,
    progress: Callable[[int, int], bool] = lambda done, total: True,
    warning: str = "",
) -> Report:
    """Compare manual with autograd in every backward pass of `tape`.

    Args:
        given: value index -> tensor, to start the hand computation from in place of the
            recorded leaves.
        progress: told how many ops of how many are done; it answers False to stop.

    Raises:
        ValueError: if nothing was differentiated while the tape was recorded.
    """
    if not tape.backwards:
        raise ValueError("nothing was differentiated: call loss.backward() inside the recording")
    total = sum(backward.after for backward in tape.backwards)
    steps, done = [], 0
    for number, backward in enumerate(tape.backwards):
        judged = judge(
            tape, backward, given=given, progress=lambda n, done=done: progress(done + n, total)
        )
        steps.append(_step(tape, judged, number))
        done += backward.after
    return Report(tuple(steps), _coverage(tape, steps), warning)


class Cancelled(Exception):
    """`progress` answered False."""


@dataclass(frozen=True)
class Judged:
    """One backward pass derived and compared.

    Attributes:
        derivation: every cotangent by hand.
        ops: those that carry gradient, in forward order.
        isolated: op index -> the op alone; `chained`: value index -> its cotangent.
    """

    backward: Backward
    derivation: Derivation
    ops: tuple[Op, ...]
    isolated: Mapping[int, Verdict]
    chained: Mapping[int, Comparison]


def judge(
    tape: Tape,
    backward: Backward,
    *,
    given: Mapping[int, Tensor] | None = None,
    progress: Callable[[int], bool] = lambda done: True,
) -> Judged:
    """Derive one backward pass by hand, and compare every op alone and every cotangent.

    Raises:
        Cancelled: when `progress`, told how many ops are done, answers False.
    """
    witness = Witness(tape, backward, given)
    isolated: dict[int, Verdict] = {}
    ops: list[Op] = []

    def each(visit: Visit) -> None:
        ops.append(visit.op)
        isolated[visit.op.index] = _isolated(witness, backward, visit)
        if not progress(backward.after - visit.op.index):
            raise Cancelled

    derivation = derive(tape, backward, given=given, each=each)
    chained = dict(_chained(witness, backward, derivation))
    return Judged(backward, derivation, tuple(reversed(ops)), isolated, chained)


def _isolated(witness: Witness, backward: Backward, visit: Visit) -> Verdict:
    if visit.rule is None:
        custom = isinstance(visit.op.function, type)
        return check_function(backward, visit.op) if custom else Verdict.UNVERIFIED
    found = witness.isolated(visit.op, visit)
    return found.verdict if found else Verdict.UNCHECKED


def _chained(
    witness: Witness, backward: Backward, derivation: Derivation
) -> Iterator[tuple[int, Comparison]]:
    for value, manual in derivation.cotangents.items():
        autograd = backward.cotangents.get(value)
        if autograd is not None:
            comparison = witness.cotangent(value, manual, autograd)
            if value in derivation.unruled and comparison.verdict in AGREED:
                comparison = replace(comparison, verdict=Verdict.UNVERIFIED)
            yield value, comparison


def _step(tape: Tape, judged: Judged, number: int) -> Step:
    root = tape.values[judged.backward.roots[0]].tensor
    return Step(
        loss=float(root) if root.numel() == 1 and not root.is_complex() else None,
        parameters=tuple(_parameters(tape, judged, number)),
        ops=tuple(_row(op, judged, number) for op in judged.ops),
    )


def _parameters(tape: Tape, judged: Judged, number: int) -> Iterator[ParameterRow]:
    for value in tape.values:
        if value.leaf and value.requires_grad and value.index in judged.backward.cotangents:
            found = judged.chained.get(value.index) or unchecked()
            yield ParameterRow(
                step=number,
                name=value.name or f"input {value.index}",
                shape=tuple(value.tensor.shape),
                verdict=found.verdict,
                rho=found.rho,
                max_abs=found.max_abs,
                max_rel=found.max_rel,
                ulps=found.ulps,
                nonfinite=found.nonfinite,
            )


def _row(op: Op, judged: Judged, number: int) -> OpRow:
    rule = registry.find(op.function)
    return OpRow(
        step=number,
        index=op.index,
        op=op.name,
        module=op.module,
        source=f"{op.source.file}:{op.source.line}" if op.source else "",
        rule=rule.name if rule else None,
        isolated=judged.isolated[op.index],
        chained=worst_of(judged.chained.get(value) for value in op.inputs),
    )


def _coverage(tape: Tape, steps: list[Step]) -> Coverage:
    rows = [row for step in steps for row in step.ops]
    missing = sorted({row.op for row in rows if row.rule is None})
    ruled = sum(row.rule is not None for row in rows)
    unseen = sorted({name for backward in tape.backwards for name in backward.unseen})
    return Coverage(ruled, len(rows), tuple(missing), tuple(unseen))


def _badness(row: ParameterRow) -> tuple[int, float]:
    return row.verdict.rank, row.rho


def _step_dict(step: Step) -> dict[str, Any]:
    return {
        "loss": _number(step.loss),
        "parameters": [
            {
                "name": row.name,
                "shape": list(row.shape),
                "verdict": str(row.verdict),
                "rho": _number(row.rho),
                "max_abs": _number(row.max_abs),
                "max_rel": _number(row.max_rel),
            }
            for row in step.parameters
        ],
        "ops": [
            {
                "op": row.op,
                "module": row.module,
                "rule": row.rule,
                "isolated": str(row.isolated),
                "chained": str(row.chained),
            }
            for row in step.ops
        ],
    }


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
