"""The third witness: finite differences in float64, which know neither our rules nor autograd."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from .binding import Arguments
from .compare import Verdict
from .fallback import run_op, torch_vjp
from .tape import Backward, Op, map_tensors, tensors
from .visit import ambient, carries, differentiate, incoming_of, isolate

STEPS = ((1e-6, 1e-6), (1e-3, 1e-2))
"""(step relative to the input, tolerance): the second is for ops that compute in float32 inside."""


def widen(tensor: Tensor, /, *, exact: bool = False) -> Tensor:
    """To float64 or complex128; what is not floating stays."""
    if tensor.is_complex():
        return tensor.to(torch.complex128)
    return tensor.to(torch.float64) if tensor.is_floating_point() else tensor


def off_kinks(backward: Backward, op: Op) -> Arguments:
    """An op's arguments widened, and moved a little: at a kink no difference is a slope.

    Always the same way. What carries no gradient stays: a target of 1 is compared with 1.
    """
    generator = torch.Generator().manual_seed(0)
    position = iter(op.inputs)

    def move(tensor: Tensor) -> Tensor:
        wide = widen(tensor)
        if not carries(backward, op, next(position)):
            return wide
        by = torch.rand(wide.shape, generator=generator, dtype=torch.float64)
        return wide + 1e-3 * (0.5 + by).to(wide.device)

    args, kwargs = map_tensors(move, (op.args, dict(op.kwargs)))
    return args, kwargs


def seeds_of(backward: Backward, op: Op) -> list[Tensor]:
    """Autograd's cotangents of an op's outputs, widened, 0 for an output that has none."""
    known = incoming_of(backward, op, widen)
    return [
        known.get(value, torch.zeros_like(widen(output)))
        for value, output in zip(op.results, op.outputs, strict=True)
    ]


@contextmanager
def same_draw() -> Iterator[None]:
    """A custom Function that draws random numbers draws the same ones every time.

    What it makes without a word about the dtype, torch.zeros(n), is float64 like all the rest.
    """
    before = torch.get_default_dtype()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        torch.set_default_dtype(torch.float64)
        try:
            yield
        finally:
            torch.set_default_dtype(before)


def check_function(backward: Backward, op: Op) -> Verdict:
    """Judge a custom autograd.Function's backward, as `by_differences` does.

    Returns:
        UNVERIFIED also where the function cannot be run in float64.
    """
    try:
        arguments = off_kinks(backward, op)
        with same_draw():
            answers = list(torch_vjp(op, arguments, seeds_of(backward, op)))
        return by_differences(backward, op, answers, arguments)
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


def by_differences(
    backward: Backward,
    op: Op,
    answers: Sequence[Tensor | None],
    arguments: Arguments | None = None,
) -> Verdict:
    """Judge float64 cotangents of an op's inputs by one random direction v.

    Along v, ⟨dy, (f(x + h·v) − f(x − h·v)) / 2h⟩ must be ⟨dx, v⟩: two extra forwards, whatever
    the number of inputs. Right cotangents agree to about 1e-9.

    Args:
        arguments: those that the answers were taken at, if not the recorded ones.

    Returns:
        ROUNDING where they agree, DIFFERENT where they do not, UNVERIFIED where there is
        nothing to judge or the op's own noise hides the answer.
    """
    if all(answer is None for answer in answers):
        return Verdict.UNVERIFIED
    seeds = seeds_of(backward, op)
    if arguments is None:
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
    arguments: Arguments,
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
    arguments: Arguments,
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

        with same_draw(), ambient(op):
            return run_op(op, *map_tensors(move, arguments))

    with torch.no_grad():
        ahead, behind = at(step), at(-step)
    terms = (
        (seed.conj() * (a - b)).real.sum() / (2 * step)
        for seed, a, b in zip(seeds, ahead, behind, strict=True)
        if a.is_floating_point() or a.is_complex()
    )
    return float(sum(terms))
