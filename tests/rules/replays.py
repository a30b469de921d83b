"""A rule's own samples, called again with other numbers, dtypes, shapes and cotangents."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from backprop_tui.rules.registry import Rule
from tests.rules import rounding
from tests.rules.oracle import (
    TOLERANCE,
    Function,
    autograd_side,
    complaint,
    described,
    is_real,
    tensors,
)
from tests.rules.variations import REFUSALS, Change, strided

Replay = tuple[Any, Any, dict[str, Any]]  # args, kwargs, and what the oracle is told beside them


def numbers(change: Change) -> Change:
    """A change of what is floating or complex; indices and truth values stay."""
    return lambda tensor: change(tensor) if is_real(tensor) else tensor.clone()


def scaled(factor: float) -> Change:
    return numbers(lambda tensor: tensor * factor)


def repeated(tensor: Tensor) -> Tensor:
    """Its first number everywhere, of which memory holds one: every stride is 0."""
    return tensor.reshape(-1)[:1].clone().reshape([1] * tensor.dim()).expand(tensor.shape)


def complex_numbers(tensor: Tensor) -> Tensor:
    """With imaginary parts, if it has none."""
    if tensor.is_complex():
        return tensor.clone()
    turns = 0.3 + 0.5 * torch.arange(tensor.numel(), dtype=tensor.dtype).reshape(tensor.shape)
    return torch.complex(tensor, turns.sin())


def indices(dtype: torch.dtype) -> Change:
    return lambda tensor: tensor.to(dtype) if tensor.dtype == torch.int64 else tensor.clone()


# In float32, where the verdict is what the program's own is: within rounding or not.
SCALES: dict[str, Change] = {
    "large": scaled(1e4),
    "huge": scaled(1e30),
    "tiny": scaled(1e-30),
    "subnormal": scaled(1e-40),
}

# In float64, all tensors of a call at once.
ALL: dict[str, Change] = {
    "zeros": numbers(torch.zeros_like),
    "repeated": numbers(lambda tensor: repeated(tensor) if tensor.numel() else tensor.clone()),
    "complex": numbers(complex_numbers),
    "0-d": lambda tensor: tensor.reshape(-1)[0].clone() if tensor.numel() else tensor.clone(),
    "uint8": indices(torch.uint8),
}

# What comes in from behind: as a sum sends it, as a transpose does, and much.
COTANGENTS: dict[str, Change] = {
    "dy-repeated": lambda dy: repeated(dy) if dy.numel() else dy,
    "dy-strided": strided,
    "dy-huge": scaled(1e30),
}


def thinner(tensor: Tensor) -> Iterator[Tensor]:
    """The tensor with each dimension cut to 1, without its first, with one more, and 0-d."""
    for dim, size in enumerate(tensor.shape):
        if size > 1:
            yield tensor.narrow(dim, 0, 1)
    yield tensor.unsqueeze(0)
    if tensor.numel():
        yield from [tensor[0]] if tensor.dim() else []
        yield from [tensor.reshape(-1)[0]] if tensor.dim() > 1 else []


# One operand at a time.
OPERANDS: dict[str, Callable[[Tensor], Iterator[Tensor]]] = {
    "broadcast": thinner,
    "promoted": lambda t: iter([t.float()] if t.is_floating_point() else []),
    "whole": lambda t: iter([(3 * t).long(), t > 0] if t.is_floating_point() else []),
    "one-complex": lambda t: iter([complex_numbers(t)] if t.is_floating_point() else []),
}

KINDS = (*SCALES, *ALL, *COTANGENTS, *OPERANDS, "not-asked")


def replaced(change: Callable[[Tensor], Tensor], args: Any, kwargs: Any) -> tuple[Any, Any]:
    """The call with its tensors changed, asked for gradients where they were and can be."""
    made: dict[int, Tensor] = {}

    def one(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        if id(leaf) not in made:
            new = change(leaf.detach())
            made[id(leaf)] = new.requires_grad_(leaf.requires_grad and is_real(new))
        return made[id(leaf)]

    result: tuple[Any, Any] = tree_map(one, (args, kwargs))
    return result


def replays(kind: str, func: Function, args: Any, kwargs: Any) -> Iterator[Replay]:
    """The calls that one kind of change makes of one call."""
    if kind in SCALES or kind in ALL:
        yield *replaced((SCALES | ALL)[kind], args, kwargs), {}
    elif kind in COTANGENTS:
        _, cotangents, _ = autograd_side(func, args, kwargs)
        yield args, kwargs, {"cotangents": [COTANGENTS[kind](dy) for dy in cotangents] or None}
    else:
        for number, operand in enumerate(distinct(args, kwargs)):
            if kind == "not-asked":
                again = replaced(Tensor.clone, args, kwargs)
                distinct(*again)[number].requires_grad_(False)
                yield *again, {}
                continue
            told = {"looser": TOLERANCE[torch.float32]} if kind in ("promoted", "whole") else {}
            for new in OPERANDS[kind](operand.detach()):
                yield *with_operand(number, new.clone(), args, kwargs), told


def distinct(args: Any, kwargs: Any) -> list[Tensor]:
    """The tensors of a call, each once."""
    return list({id(tensor): tensor for tensor in tensors((args, kwargs))}.values())


def with_operand(number: int, new: Tensor, args: Any, kwargs: Any) -> tuple[Any, Any]:
    """The call with another tensor in place of its operand of that number."""
    order = iter(range(len(distinct(args, kwargs))))
    return replaced(lambda old: new if next(order) == number else old.clone(), args, kwargs)


def replay_complaint(kind: str, rule: Rule, func: Function, args: Any, kwargs: Any) -> str:
    """The first thing that the rule gets wrong in calls of a kind which torch takes."""
    for again, named, told in replays(kind, func, args, kwargs):
        try:
            autograd_side(func, again, named, told.get("cotangents"))
        except (*REFUSALS, NotImplementedError, AssertionError):
            continue
        try:
            if kind in SCALES:
                wrong = rounding.complaint(rule, func, again, named)
            else:
                wrong = complaint(rule, func, again, named, **told)
        except (*REFUSALS, NotImplementedError, AttributeError) as refusal:
            wrong = f"{type(refusal).__name__}: {refusal}"
        if wrong:
            return f"{wrong} in {func.__name__}{described(again, named)}"
    return ""
