"""A call for lists of tensors, which is an op for each: ``torch._foreach_add_(params, grads)``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .tape import tensors

FOREACH = "_foreach_"
_LISTS = (list, tuple)
_FACTORS = frozenset(("addcmul", "addcmul_", "addcdiv", "addcdiv_"))
"""Those whose factor is an argument by place, where the op for one tensor has it by name."""


class Single(NamedTuple):
    """One op of such a call."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


def singles(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Single]:
    """The ops that a call for lists stands for; none where it is not given a list.

    None either where autograd follows it, since the nodes that it makes are those of one call.
    """
    if not args or not isinstance(args[0], _LISTS):
        return []
    one = name.removeprefix(FOREACH)
    function = torch.linalg.vector_norm if one == "norm" else getattr(Tensor, one, None)
    followed = torch.is_grad_enabled() and any(t.requires_grad for t in tensors((args, kwargs)))
    if function is None or followed:
        return []
    if one in _FACTORS and len(args) > 3:
        args, kwargs = args[:3], {**kwargs, "value": _numbers(args[3])}
    return [
        Single(function, tuple(_at(i, arg) for arg in args), _each(i, kwargs))
        for i in range(len(args[0]))
    ]


def _numbers(factor: Any) -> Any:
    """A factor for all, or a list of one for each, which may be a tensor."""
    return factor.tolist() if isinstance(factor, Tensor) else factor


def _at(i: int, arg: Any) -> Any:
    return arg[i] if isinstance(arg, _LISTS) else arg


def _each(i: int, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _at(i, arg) for key, arg in kwargs.items()}
