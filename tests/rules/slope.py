"""One call of a rule against finite differences, which know nothing of derivatives."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from backprop_tui.rules.registry import Rule
from tests.rules.oracle import Function, is_real, rule_side, seed, tensors, without_phase


def finite_difference_complaint(
    rule: Rule, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> str:
    """Whether ⟨dx, v⟩ is the slope of ⟨dy, f(x + hv)⟩ in h, for one random direction v.

    Of complex values the products are not conjugated and the real part counts.
    """
    generator = torch.Generator().manual_seed(12)
    inputs = {id(t): t for t in tensors((args, kwargs)) if t.requires_grad}
    directions = {key: direction(t, generator) for key, t in inputs.items()}

    def outputs(step: float) -> list[Tensor]:
        moved = {key: t.detach() + step * directions[key] for key, t in inputs.items()}
        new_args, new_kwargs = tree_map(lambda leaf: moved.get(id(leaf), leaf), (args, kwargs))
        seed()
        result = func(*new_args, **new_kwargs)
        return tensors(new_args[0] if result is None else result)

    def projected(step: float) -> float:
        pairs = zip(cotangents, outputs(step), strict=True)
        return sum(inner(c, y) for c, y in pairs)

    at_rest = outputs(0.0)
    cotangents = [normal(y, generator) if is_real(y) else torch.zeros_like(y) for y in at_rest]
    cotangents = [c.conj() for c in without_phase(func, at_rest, cotangents)]
    _, found = rule_side(rule, args, kwargs, cotangents)
    manual = sum(
        inner(c, directions[id(t)]) for _, t, c in found if id(t) in inputs and c is not None
    )
    eps = max(torch.finfo(y.dtype).eps for y in at_rest if is_real(y))
    step = eps ** (1 / 4)
    numeric = (8 * (projected(step) - projected(-step))) / (12 * step)
    numeric -= (projected(2 * step) - projected(-2 * step)) / (12 * step)
    size = 1 + sum(c.abs().sum().item() for c in cotangents)
    close = abs(manual - numeric) <= min(10 * eps ** (1 / 2), 0.1) * size
    return "" if close else f"slope {manual}, finite differences {numeric}"


def normal(tensor: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(tensor.shape, dtype=tensor.dtype, generator=generator)


def direction(tensor: Tensor, generator: torch.Generator) -> Tensor:
    """A random direction to move in.

    A matrix that is Hermitian or triangular stays so: torch may read half of it, and shares the
    gradient of that half out as if it read all.
    """
    move = normal(tensor, generator)
    if tensor.dim() < 2 or tensor.shape[-1] != tensor.shape[-2]:
        return move
    if torch.equal(tensor, tensor.mH):
        return (move + move.mH) / 2
    if torch.equal(tensor, tensor.tril()):
        return move.tril()
    return move.triu() if torch.equal(tensor, tensor.triu()) else move


def inner(a: Tensor, b: Tensor) -> float:
    wide = torch.complex128
    return float((a.to(wide) * b.to(wide)).sum().real)
