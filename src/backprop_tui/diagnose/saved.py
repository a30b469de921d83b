"""Whether a backward would be right, had its Function saved another tensor: the proof is to try."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from ..fallback import run_op
from ..numeric import same_draw
from ..tape import map_tensors
from .patterns import Pattern
from .truth import Answer, Call


class _Context:
    """A Function's ctx with other saved tensors."""

    def __init__(self, node: Any, saved: Sequence[Tensor]) -> None:
        self._node = node
        self.saved_tensors = tuple(saved)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._node, name)


def wrong_tensor_saved(call: Call, wrong: Sequence[Answer]) -> Pattern | None:
    """The pattern of a backward that all becomes right with one saved tensor exchanged."""
    outputs = _again(call)  # held, for with them older torches let go of what the node saved
    node: Any = next(output.grad_fn for output in outputs if output.grad_fn is not None)
    saved = [tensor.detach() for tensor in node.saved_tensors if tensor is not None]
    named = dict(_named(call))
    for place, kept in enumerate(saved):
        for name, other in named.items():
            if other.shape != kept.shape or torch.equal(other, kept):
                continue
            trial = [*saved[:place], other, *saved[place + 1 :]]
            if _all_right(call, wrong, _Context(node, trial)):
                had = next((n for n, tensor in named.items() if torch.equal(tensor, kept)), "")
                return _said(had or f"saved tensor {place}", name)
    return None


def _said(had: str, wanted: str) -> Pattern:
    return Pattern(
        "wrong-tensor-saved",
        f"becomes right in every element when {wanted} is saved in place of {had}",
        f"The formula in backward is that of {wanted}, and it is given {had}.",
        f"Save {wanted}: ctx.save_for_backward({wanted}), or write the formula in terms of {had}.",
    )


def _named(call: Call) -> Iterator[tuple[str, Tensor]]:
    yield from zip(call.names, call.inputs, strict=True)
    several = len(call.outputs) > 1
    for number, output in enumerate(call.outputs):
        yield f"output {number}" if several else "the output", output


def _again(call: Call) -> list[Tensor]:
    """The Function's outputs with a graph, the node of which is its ctx."""

    def leaf(tensor: Tensor) -> Tensor:
        return tensor.detach().clone().requires_grad_(tensor.is_floating_point())

    with torch.enable_grad(), same_draw():
        return run_op(call.op, *map_tensors(leaf, call.arguments))


def _all_right(call: Call, wrong: Sequence[Answer], context: _Context) -> bool:
    try:
        with torch.no_grad(), same_draw():
            given = call.op.function.backward(context, *call.incoming)  # type: ignore[attr-defined]
    except (RuntimeError, TypeError, ValueError, AttributeError):  # it cannot work with this one
        return False
    parts = given if isinstance(given, tuple) else (given,)
    for answer in wrong:
        part = parts[call.places[answer.position]]
        if not isinstance(part, Tensor) or part.shape != call.inputs[answer.position].shape:
            return False
        if not answer.near(answer.part(part), answer.truth):
            return False
    return True
