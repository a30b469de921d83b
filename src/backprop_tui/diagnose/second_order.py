"""Custom autograd.Functions whose backward cannot be differentiated once more."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ..fallback import run_op
from ..finding import Finding, Severity
from ..numeric import same_draw
from ..tape import Op, map_tensors, tensors
from .derivative import is_custom
from .examined import Examined, Kept
from .places import code_of

_STEP, _CLOSE = 1e-4, 1e-3


class _Asked(Kept):
    """The Functions that were differentiated twice already."""

    def __init__(self) -> None:
        self.functions: set[Callable[..., Any]] = set()


def second_order(examined: Examined) -> Iterator[Finding]:
    """A custom Function in a graph that is differentiated twice.

    After a pass with `create_graph`, every custom `autograd.Function` that it went through is
    differentiated twice in float64, along a direction, and its first gradient is differenced
    along the same one. Where the two are apart, its backward has left the graph: through
    `detach`, `.data`, or `once_differentiable`. A warning, since the first order may be all that
    is meant.
    """
    known = examined.memory.of(_Asked).functions
    for number, judged in enumerate(examined.judged):
        again = number + 1 < len(examined.judged) or examined.error is not None
        for op in judged.ops if judged.backward.creates_graph and again else ():
            if is_custom(op) and op.function not in known:
                known.add(op.function)
                if _is_cut(op):
                    yield _finding(op)


def _finding(op: Op) -> Finding:
    function: Any = op.function
    source, code = op.source, code_of(function.backward)
    if code is not None:
        marks = [mark for mark in code.tree.decorator_list if "once_diff" in ast.unparse(mark)]
        source = code.at([*marks, code.tree][0])
    found = Finding.at(
        op,
        "second-order-cut",
        Severity.WARNING,
        f"{op.name}.backward is no part of the graph that create_graph builds: a second derivative "
        "misses how its gradient depends on its inputs",
        "The second derivative follows the ops of backward: detach, .data and "
        "once_differentiable hide them.",
        "Compute the gradient from ctx.saved_tensors and grad_output with differentiable ops.",
    )
    return replace(found, source=source)


def _is_cut(op: Op) -> bool:
    """Whether autograd's second derivative is not the difference of the first."""
    given = tensors((op.args, dict(op.kwargs)))
    held = [tensor.detach().double() for tensor in given if tensor.is_floating_point()]
    along = [torch.cos(torch.arange(1.0, t.numel() + 1).double()).reshape(t.shape) for t in held]
    try:
        once, twice = _difference(op, held, along, _STEP), _difference(op, held, along, 2 * _STEP)
    except (RuntimeError, TypeError):  # the function refuses float64
        return False
    if abs(once - twice) > _CLOSE * abs(once):
        return False  # a kink between, or noise
    try:
        _, slope = _first(op, held, along)
    except RuntimeError as error:
        return "once_differentiable" in str(error)
    return abs(slope - once) > 10 * _CLOSE * max(abs(once), abs(slope))


def _difference(op: Op, held: Sequence[Tensor], along: Sequence[Tensor], step: float) -> float:
    ahead, behind = (
        _first(op, [x + h * d for x, d in zip(held, along, strict=True)], along, twice=False)[0]
        for h in (step, -step)
    )
    return (ahead - behind) / (2 * step)


def _first(
    op: Op, held: Sequence[Tensor], along: Sequence[Tensor], twice: bool = True
) -> tuple[float, float]:
    """The Function's slope along a direction, and if `twice` the slope of that."""
    leaves = [tensor.clone().requires_grad_() for tensor in held]
    given = iter(leaves)

    def fresh(tensor: Tensor) -> Tensor:
        return next(given) if tensor.is_floating_point() else tensor

    with torch.enable_grad(), same_draw():
        args, kwargs = map_tensors(fresh, (op.args, dict(op.kwargs)))
        outputs = [out for out in run_op(op, args, kwargs) if out.requires_grad]
        seeds = [torch.sin(torch.arange(1.0, o.numel() + 1).double()).view_as(o) for o in outputs]
        grads = torch.autograd.grad(outputs, leaves, seeds, create_graph=twice, allow_unused=True)
        slope = _along(grads, along)
        if not twice or not slope.requires_grad:
            return float(slope), 0.0
        second = torch.autograd.grad(slope, leaves, allow_unused=True)
        return float(slope), float(_along(second, along))


def _along(grads: Sequence[Tensor | None], along: Sequence[Tensor]) -> Tensor:
    terms = [(g * d).sum() for g, d in zip(grads, along, strict=True) if g is not None]
    return torch.stack(terms).sum() if terms else torch.zeros(())
