"""The third witness: finite differences in float64, which know neither our rules nor autograd."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .backward import ambient, differentiate, incoming_of, isolate
from .compare import Verdict
from .fallback import run_op
from .tape import Backward, Op, map_tensors, tensors

STEPS = ((1e-6, 1e-6), (1e-3, 1e-2))
"""(step relative to the input, tolerance): the second is for ops that compute in float32 inside."""


def widen(tensor: Tensor) -> Tensor:
    """To float64 or complex128; what is not floating stays."""
    if tensor.is_complex():
        return tensor.to(torch.complex128)
    return tensor.to(torch.float64) if tensor.is_floating_point() else tensor


def check_function(backward: Backward, op: Op) -> Verdict:
    """Judge a custom autograd.Function's backward, as `by_differences` does.

    Returns:
        UNVERIFIED also where the function cannot be run in float64.
    """
    try:
        return by_differences(backward, op, differentiate(backward, op, convert=widen))
    except (RuntimeError, TypeError):  # the function refuses float64
        return Verdict.UNVERIFIED


def standing_alone(backward: Backward, op: Op) -> str:
    """Which of three witnesses of an op's derivative contradicts the other two.

    They are our rule and torch's own derivative, both in float64, and finite differences.

    Returns:
        "our rule", "autograd" or, for a custom Function, "MyFunction.backward"; "numeric" where
        the differences contradict both; "" where all agree or nothing can be said.
    """
    torchs = f"{op.name}.backward" if isinstance(op.function, type) else "autograd"
    try:
        mine = by_differences(backward, op, isolate(backward, op, convert=widen).outgoing)
        theirs = by_differences(backward, op, differentiate(backward, op, convert=widen))
    except (RuntimeError, TypeError):  # the op refuses float64
        return ""
    match mine is Verdict.DIFFERENT, theirs is Verdict.DIFFERENT:
        case True, True:
            return "numeric"
        case True, False:
            return "our rule"
        case False, True:
            return torchs
    return ""


def by_differences(backward: Backward, op: Op, answers: Sequence[Tensor | None]) -> Verdict:
    """Judge float64 cotangents of an op's inputs by one random direction v.

    Along v, ⟨dy, (f(x + h·v) − f(x − h·v)) / 2h⟩ must be ⟨dx, v⟩: two extra forwards, whatever
    the number of inputs. Right cotangents agree to about 1e-9.

    Returns:
        ROUNDING where they agree, DIFFERENT where they do not, UNVERIFIED where there is
        nothing to judge or the op's own noise hides the answer.
    """
    if all(answer is None for answer in answers):
        return Verdict.UNVERIFIED
    incoming = incoming_of(backward, op, widen)
    outputs = [widen(output) for output in op.outputs]
    seeds = [
        incoming.get(value, torch.zeros_like(out))
        for value, out in zip(op.results, outputs, strict=True)
    ]
    arguments = map_tensors(widen, (op.args, dict(op.kwargs)))
    for step, tolerance in STEPS:
        gap, noise = _gap(op, arguments, seeds, answers, step)
        if gap <= tolerance:
            return Verdict.ROUNDING
        if noise <= tolerance:
            return Verdict.DIFFERENT
    return Verdict.UNVERIFIED


def _gap(
    op: Op,
    arguments: tuple[Any, ...],
    seeds: Sequence[Tensor],
    answers: Sequence[Tensor | None],
    step: float,
) -> tuple[float, float]:
    """How far ⟨dx, v⟩ is from the differences, and how far those of three steps are apart."""
    generator = torch.Generator().manual_seed(0)
    directions = [
        torch.randn(t.shape, generator=generator, dtype=torch.float64).to(t.device)
        for t in tensors(arguments)
    ]
    found = [
        (answer * v).real.sum()
        for answer, v in zip(answers, directions, strict=True)
        if answer is not None
    ]
    sizes = [
        (answer * v).abs().square().sum()
        for answer, v in zip(answers, directions, strict=True)
        if answer is not None
    ]
    claimed = float(sum(found))
    moved = [i for i, answer in enumerate(answers) if answer is not None]
    tries = [_along(op, arguments, directions, moved, seeds, k * step) for k in (1, 2, 4)]
    size = max(float(sum(sizes)) ** 0.5, abs(tries[0]), 1e-300)
    return abs(claimed - tries[0]) / size, (max(tries) - min(tries)) / size


def _along(
    op: Op,
    arguments: tuple[Any, ...],
    directions: Sequence[Tensor],
    moved: Sequence[int],
    seeds: Sequence[Tensor],
    step: float,
) -> float:
    """⟨dy, (f(x + h·v) − f(x − h·v)) / 2h⟩."""

    def at(h: float) -> list[Tensor]:
        position = iter(range(len(directions)))

        def move(tensor: Tensor) -> Tensor:
            i = next(position)
            return tensor + h * directions[i] if i in moved else tensor

        with ambient(op):
            return run_op(op, *map_tensors(move, arguments))

    with torch.no_grad():
        ahead, behind = at(step), at(-step)
    terms = (
        (seed.conj() * (a - b)).real.sum() / (2 * step)
        for seed, a, b in zip(seeds, ahead, behind, strict=True)
        if a.is_floating_point() or a.is_complex()
    )
    return float(sum(terms))
