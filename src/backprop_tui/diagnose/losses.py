"""Losses that are not the loss that was meant: of the wrong shape, or of the wrong numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ..binding import bound
from ..finding import Finding, Severity
from ..rules import registry
from ..tape import Op, tensors
from .causes import plain_name
from .examined import Examined
from .flow import Flow

POINTWISE = frozenset(("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"))
CLASSES = frozenset(("cross_entropy", "nll_loss"))
BINARY = frozenset(("binary_cross_entropy", "binary_cross_entropy_with_logits"))
LOSSES = POINTWISE | CLASSES | BINARY

_CARRY = frozenset(
    """view reshape flatten unflatten squeeze unsqueeze view_as reshape_as transpose permute
    swapaxes movedim T mT __getitem__ contiguous float double to clone""".split()  # noqa: SIM905
)
"""Ops that hand on the same numbers."""


def arguments(op: Op) -> dict[str, Any]:
    """An op's arguments by name, those that were given."""
    rule = registry.find(op.function)
    return bound(rule, (op.args, dict(op.kwargs))) if rule is not None else {}


def source_of(flow: Flow, value: int) -> Op | None:
    """The op that computed a value's numbers, before they were given this shape."""
    maker = flow.maker.get(value)
    while maker is not None and maker.name in _CARRY:
        maker = flow.maker.get(maker.inputs[0])
    return maker


def losses(examined: Examined) -> Iterator[Op]:
    """The loss functions that were called, where a backward pass has come to them."""
    seen = {op.index: op for judged in examined.judged for op in judged.ops}
    yield from (op for op in seen.values() if op.name in LOSSES and len(op.inputs) > 1)


def broadcast_loss(examined: Examined) -> Iterator[Finding]:
    """A loss of every sample against every other.

    `mse_loss` and its kin (or a difference by hand that is squared or taken absolute, and summed up
    to the loss), of a prediction and a target whose shapes, such as (N, 1) and (N,), broadcast to
    something larger than either.
    """
    for op in losses(examined):
        if op.name in POINTWISE:
            yield from _spread(op, *list(tensors((op.args, dict(op.kwargs))))[:2])
    for judged in examined.judged:
        for op in judged.ops:
            if plain_name(op) in ("sub", "rsub", "__rsub__") and _is_error(examined, op):
                yield from _spread(op, *tensors(op.args))


def _spread(op: Op, one: Tensor, other: Tensor) -> Iterator[Finding]:
    shape = torch.broadcast_shapes(one.shape, other.shape)
    count, samples = math.prod(shape), max(one.numel(), other.numel())
    if count <= samples:
        return
    a, b, both = (_shape(each) for each in (one.shape, other.shape, shape))
    yield Finding.at(
        op,
        "broadcast-loss",
        Severity.ERROR,
        f"{op.name} of {a} and {b} compares {both}: {count} pairs, not {samples}",
        "A missing dimension is put in front, so that each prediction meets every target: the "
        "best that the model can learn is the targets' mean.",
        "Give both one shape: prediction.squeeze(-1), or target.view_as(prediction).",
    )


def _shape(shape: torch.Size) -> str:
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def _is_error(examined: Examined, op: Op) -> bool:
    """Whether a difference is that of a prediction (N, 1) and its targets (N,), on to be a loss."""
    values, flow = examined.tape.values, examined.flow
    shapes = [tensor.shape for tensor in tensors(op.args)]
    if len(shapes) != 2 or sorted(map(len, shapes)) != [1, 2]:
        return False
    long = shapes.index(max(shapes, key=len))
    if shapes[long] != (*shapes[1 - long], 1) or shapes[long][0] < 2:
        return False
    if sum(values[value].requires_grad for value in op.inputs) != 1:
        return False
    column = flow.maker.get(op.inputs[long])
    if column is not None and column.name in _CARRY:
        return False  # given this shape on purpose, as for all pairs
    (result,) = op.results
    powers = [r for r in flow.readers[result] if plain_name(r) in ("pow", "square", "abs", "mul")]
    sums = [s for r in powers for v in r.results for s in flow.readers[v]]
    return any(plain_name(s) in ("mean", "sum") and not s.outputs[0].dim() for s in sums)


def constant_loss(examined: Examined) -> Iterator[Finding]:
    """A loss over one class.

    `cross_entropy` of one column, or a softmax over one element that is handed to a loss: both are
    the same whatever the model computes.
    """
    for op in losses(examined):
        given = next(tensors((op.args, dict(op.kwargs))))
        maker = source_of(examined.flow, op.inputs[0])
        one = maker is not None and maker.name == "softmax" and _length(maker) == 1
        if one or (op.name == "cross_entropy" and given.dim() > 1 and given.shape[1] == 1):
            assert maker is not None or not one
            yield Finding.at(
                maker if one and maker is not None else op,
                "constant-loss",
                Severity.ERROR,
                f"{'softmax' if one else op.name} over a dimension of size 1, of shape "
                f"{_shape(given.shape)}: the result does not depend on the model, and every "
                "gradient is 0",
                "The probabilities of one class alone sum to 1: it is always 1.",
                "For one output use a sigmoid: F.binary_cross_entropy_with_logits(logits, target).",
            )


def _length(softmax: Op) -> int:
    dim = arguments(softmax).get("dim")
    return softmax.outputs[0].shape[int(dim)] if dim is not None else 0


def padding_in_loss(examined: Examined) -> Iterator[Finding]:
    """Targets that are padding.

    An embedding names its padding index, a loss over the same vocabulary has targets of that index
    and neither ignores it nor weighs it 0: the model is trained to predict padding. Where it never
    stands twice in a row, it may be an end mark that is meant to be learnt: a warning.
    """
    named = [arguments(op) for op in examined.tape.ops if op.name == "embedding"]
    padded = {
        int(given["padding_idx"]): int(given["weight"].shape[0])
        for given in named
        if given.get("padding_idx") is not None
    }
    for op in losses(examined):
        if op.name not in CLASSES or arguments(op).get("reduction", "mean") == "none":
            continue
        given, target = list(tensors((op.args, dict(op.kwargs))))[:2]
        ignored, weight = arguments(op).get("ignore_index", -100), arguments(op).get("weight")
        for index, size in padded.items():
            index %= size
            share = float((target == index).float().mean())
            weighed = weight is None or float(weight[index]) != 0
            same = given.dim() > 1 and given.shape[1] == size and not target.is_floating_point()
            if same and share > 0 and ignored != index and weighed:
                yield Finding.at(
                    op,
                    "padding-in-loss",
                    Severity.ERROR if _runs(target, index) else Severity.WARNING,
                    f"{share:.0%} of the targets are {index}, the embedding's padding_idx, and "
                    "count in the loss",
                    "The model is trained to predict padding, and the mean is taken over it too.",
                    f"Pass ignore_index={index} to the loss.",
                )


def _runs(target: Tensor, index: int) -> bool:
    """Whether an index stands twice in a row."""
    flat = (target == index).flatten()
    return bool((flat[1:] & flat[:-1]).any())
