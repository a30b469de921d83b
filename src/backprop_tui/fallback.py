"""Torch's own derivative of a single op: what stands in where there is no rule, and says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor

from .calls import written
from .patches import engine_runs
from .tape import Op, map_tensors, tensors


def torch_vjp(
    op: Op,
    arguments: tuple[tuple[Any, ...], dict[str, Any]],
    incoming: Sequence[Tensor],
    needed: Sequence[bool] = (),
) -> Iterator[Tensor | None]:
    """Run the op once more on `arguments` under autograd and differentiate it alone.

    An op may refuse to be differentiated by what it only keeps, as running means.

    Yields:
        One cotangent for each input tensor of the op, None where it is not `needed` (without
        which all are) or the op gives none.
    """
    fresh: list[Tensor] = []

    def detached(tensor: Tensor) -> Tensor:
        differentiable = tensor.is_floating_point() or tensor.is_complex()
        wanted = differentiable and (not needed or needed[len(fresh)])
        fresh.append(tensor.detach().clone().requires_grad_(wanted))
        return fresh[-1]

    with torch.enable_grad():
        args, kwargs = map_tensors(detached, arguments)
        outputs = run_op(op, args, kwargs)
        pairs = [(out, grad) for out, grad in zip(outputs, incoming, strict=True) if out.grad_fn]
        wanted = [tensor for tensor in fresh if tensor.requires_grad]
        if not pairs or not wanted:
            yield from [None] * len(fresh)
            return
        with _alone():
            # Not autograd.grad, which a reentrant checkpoint refuses.
            torch.autograd.backward([out for out, _ in pairs], [grad for _, grad in pairs])
    for tensor in fresh:
        yield tensor.grad


def vjp_as_it_can(
    op: Op, arguments: tuple[tuple[Any, ...], dict[str, Any]], incoming: Sequence[Tensor]
) -> list[Tensor | None]:
    """The same of an op that may work in its own dtype only: then that is what it is asked in.

    Empty for one that cannot be run a second time.
    """
    own = [grad.to(output.dtype) for grad, output in zip(incoming, op.outputs, strict=True)]
    inputs = list(tensors(arguments))
    for given, seeds in ((arguments, incoming), ((op.args, dict(op.kwargs)), own)):
        try:
            answers = list(torch_vjp(op, given, seeds))
        except (RuntimeError, TypeError):
            continue
        pairs = zip(answers, inputs, strict=True)
        return [None if answer is None else answer.to(like.dtype) for answer, like in pairs]
    return []


def _alone() -> AbstractContextManager[None]:
    """A backward pass that another one starts is refused.

    A reentrant checkpoint's would add to the program's own gradients.
    """
    running: list[Any] = []

    def observe(run: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if running:
            raise RuntimeError("it differentiates in its own backward")
        running.append(run)
        return run(*args, **kwargs)

    return engine_runs(observe)


def run_op(op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Tensor]:
    """The op's outputs. One that works in place gets a copy to work on, since leaves refuse it."""
    if isinstance(op.function, type) and issubclass(op.function, torch.autograd.Function):
        args, kwargs = map_tensors(Tensor.clone, (args, kwargs))  # it may mark any of them dirty
        return list(tensors(op.function.apply(*args, **kwargs)))
    if written(op.function, args, kwargs) is not None:
        args = (args[0].clone(), *args[1:])
    output = op.function(*args, **kwargs)
    return list(tensors(output)) or [args[0]]
