"""A call made again with other memory, other numbers or other wishes: what op_db's samples miss."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from backprop_tui.rules.registry import RULES
from tests.rules.oracle import Calls, autograd_side, complaint, described, is_real, seed

REFUSALS = (RuntimeError, ValueError, TypeError, IndexError)

Change = Callable[[Tensor], Tensor]


def strided(tensor: Tensor) -> Tensor:
    """The same numbers, each dimension running the other way through memory, with gaps."""
    wide = torch.empty([2 * size for size in reversed(tensor.shape)], dtype=tensor.dtype)
    turned = wide.permute(list(reversed(range(tensor.dim()))))
    for dim in range(tensor.dim()):
        turned = turned[(slice(None),) * dim + (slice(None, None, 2),)]
    return turned.copy_(tensor)


def int32(tensor: Tensor) -> Tensor:
    """Indices in the narrower dtype."""
    return tensor.to(torch.int32) if tensor.dtype == torch.int64 else tensor.clone()


def ties(tensor: Tensor) -> Tensor:
    """Whole numbers, of which many are equal."""
    return tensor.round() if tensor.is_floating_point() else tensor.clone()


def sprinkled(*values: float) -> Change:
    """Every seventh number replaced by one of some special ones."""

    def change(tensor: Tensor) -> Tensor:
        copy = tensor.clone(memory_format=torch.contiguous_format)
        if tensor.is_floating_point() and tensor.numel():
            for place, value in enumerate(values):
                copy.view(-1)[(2 * place + 1) % tensor.numel() :: 7] = value
        return copy

    return change


CHANGES: dict[str, Change] = {
    "strided": strided,
    "int32": int32,
    "ties": ties,
    "zero": sprinkled(0.0, -0.0),
    "inf": sprinkled(math.inf, -math.inf),
    "nan": sprinkled(math.nan),
    "asked": Tensor.clone,  # and every number's gradient is wanted
}


def changed(kind: str, args: Any, kwargs: Any) -> tuple[Any, Any]:
    """The call with its tensors changed; one that came twice comes twice again."""
    made: dict[int, Tensor] = {}

    def one(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor) or leaf.layout != torch.strided:
            return leaf
        if id(leaf) not in made:
            asked = leaf.requires_grad or (kind == "asked" and is_real(leaf))
            made[id(leaf)] = CHANGES[kind](leaf.detach()).requires_grad_(asked)
        return made[id(leaf)]

    result: tuple[Any, Any] = tree_map(one, (args, kwargs))
    return result


def calls(function: Callable[..., Any], samples: list[Any], most: int) -> Iterator[Any]:
    """The calls that have a rule, of a few samples from all over the list."""
    for sample in samples[:: max(1, len(samples) // most)][:most]:
        seed()
        with Calls() as mode:
            function(sample.input, *sample.args, **sample.kwargs)
        yield from (call for call in mode.calls if call[0] in RULES)


def variation_complaint(kind: str, call: Any) -> str:
    """What the rule gets wrong in a call that is changed in one way; "" also if torch refuses."""
    function, args, kwargs = call
    args, kwargs = changed(kind, args, kwargs)
    try:
        autograd_side(function, args, kwargs)
    except REFUSALS:
        return ""
    try:
        wrong = complaint(RULES[function], function, args, kwargs)
    except REFUSALS as refusal:
        wrong = f"{type(refusal).__name__}: {refusal}"
    return f"{wrong} in {function.__name__}{described(args, kwargs)}" if wrong else ""
