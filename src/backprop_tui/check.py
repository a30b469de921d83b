"""Manual against autograd for a whole tape: every op alone, and the chain from loss to leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from torch import Tensor

from .compare import worst as worst_of
from .judge import Judged, judge
from .numeric import standing_alone
from .report import AGREED, Report
from .report_rows import Coverage, OpRow, ParameterRow, Step
from .rules import registry
from .tape import Op, Tape
from .updates import rows
from .variables import label


def check(
    tape: Tape,
    *,
    given: Mapping[int, Tensor] | None = None,
    numeric: bool = False,
    progress: Callable[[int, int], bool] = lambda done, total: True,
    warning: str = "",
    judged: Sequence[Judged] = (),
) -> Report:
    """Compare manual with autograd in every backward pass of `tape`.

    Args:
        given: value index -> tensor, to start the hand computation from in place of the
            recorded leaves.
        numeric: ask finite differences too about every op that is not verified, and name the
            witness that stands alone.
        progress: told how many ops of how many are done; it answers False to stop.
        judged: the passes, where they have been judged already.

    Raises:
        ValueError: if nothing was differentiated while the tape was recorded, or its tensors
            are on the meta device.
        judge.Cancelled: if `progress` answers False.
    """
    if not tape.backwards:
        raise ValueError(
            "nothing was differentiated: call loss.backward() inside the recording, in the thread "
            "that it began in, and check when it is over; what torch.func differentiates is not "
            "recorded"
        )
    if any(seed.is_meta for backward in tape.backwards for seed in backward.seeds):
        raise ValueError("nothing to compare: tensors on the meta device have no numbers")
    total = sum(backward.after for backward in tape.backwards)
    steps, done = [], 0
    for number, backward in enumerate(tape.backwards):

        def report(count: int, before: int = done) -> bool:
            return progress(before + count, total)

        one = judged[number] if judged else judge(tape, backward, given=given, progress=report)
        steps.append(_step(tape, one, number, numeric))
        done += backward.after
    updates = tuple(rows(tape))
    return Report(tuple(steps), _coverage(tape, steps), warning, updates=updates)


def _step(tape: Tape, judged: Judged, number: int, numeric: bool) -> Step:
    root = tape.values[judged.backward.roots[0]].tensor
    return Step(
        loss=float(root) if root.numel() == 1 and not root.is_complex() else None,
        parameters=tuple(_parameters(tape, judged, number)),
        ops=tuple(_row(op, judged, number, numeric) for op in judged.ops),
    )


def _parameters(tape: Tape, judged: Judged, number: int) -> Iterator[ParameterRow]:
    for value in tape.values:
        if value.leaf and value.requires_grad and value.index in judged.backward.cotangents:
            found = judged.comparison(value.index)
            yield ParameterRow(
                step=number,
                name=label(tape, value),
                shape=tuple(value.tensor.shape),
                verdict=found.verdict,
                rho=found.rho,
                max_abs=found.max_abs,
                max_rel=found.max_rel,
                ulps=found.ulps,
                nonfinite=found.nonfinite,
            )


def _row(op: Op, judged: Judged, number: int, numeric: bool) -> OpRow:
    rule = None if op.index in judged.failures else registry.find(op.function)
    doubted = numeric and judged.isolated[op.index] not in AGREED
    return OpRow(
        step=number,
        index=op.index,
        op=op.name,
        module=op.module,
        source=f"{op.source.file}:{op.source.line}" if op.source else "",
        rule=rule.name if rule else None,
        isolated=judged.isolated[op.index],
        chained=worst_of(judged.chained.get(value) for value in op.inputs),
        alone=standing_alone(judged.backward, op) if doubted else "",
        failure=judged.failures.get(op.index, ""),
    )


def _coverage(tape: Tape, steps: Sequence[Step]) -> Coverage:
    rows = [row for step in steps for row in step.ops]
    missing = sorted({row.op for row in rows if row.rule is None})
    ruled = sum(row.rule is not None for row in rows)
    unseen = sorted({name for backward in tape.backwards for name in backward.unseen})
    failed = sorted({row.failure for row in rows if row.failure})
    return Coverage(ruled, len(rows), tuple(missing), tuple(unseen), tuple(failed))
