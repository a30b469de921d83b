"""What stands in the place of torch's functions while a program is observed, and is taken back.

These are functions that no mode and no hook tells of. Some are private to torch: each is named
here alone, and has a test.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from .private import is_apart

Patch = tuple[Any, str, Callable[..., Any]]


@contextmanager
def patched(*patches: Patch) -> Iterator[None]:
    """Of each (owner, name, observe), ``owner.name(*args)`` is ``observe(original, *args)``."""
    undone = []
    try:
        for owner, name, observe in patches:
            original = getattr(owner, name)
            patch, observers = _stand_in(original)
            observers.append(observe)
            setattr(owner, name, patch)
            undone.append((owner, name, original, observers))
        yield
    finally:
        for owner, name, original, observers in undone:
            setattr(owner, name, original)
            observers.pop()


@functools.lru_cache(maxsize=256)
def _stand_in(original: Callable[..., Any]) -> tuple[Callable[..., Any], list[Callable[..., Any]]]:
    """What takes the place of a function, made once, and whom it tells: the last of them."""
    observers: list[Callable[..., Any]] = []

    @functools.wraps(original)
    def patch(*args: Any, **kwargs: Any) -> Any:
        # The program may have kept it, as a bound method, until after the block.
        return observers[-1](original, *args, **kwargs) if observers else original(*args, **kwargs)

    return patch, observers


def asking() -> Iterator[Patch]:
    """The patch by which ``torch.autograd.backward`` asks the modes, as it later does itself."""
    backward = torch.autograd.backward
    if "has_torch_function" in backward.__code__.co_names:
        return

    def ask(run: Any, tensors: Any, *args: Any, **kwargs: Any) -> None:
        given = (tensors,) if isinstance(tensors, Tensor) else tuple(tensors)
        if torch.overrides.has_torch_function(given):
            torch.overrides.handle_torch_function(run, given, tensors, *args, **kwargs)
        else:
            run(tensors, *args, **kwargs)

    yield torch.autograd, "backward", ask


@contextmanager
def engine_runs(observe: Callable[..., Any]) -> Iterator[None]:
    """Every run of autograd's engine here is ``observe(run, *args)``.

    All of ``Tensor.backward``, ``torch.autograd.backward`` and ``torch.autograd.grad`` end in
    ``torch.autograd._engine_run_backward``, whether a mode is active or not.
    """
    with patched((torch.autograd, "_engine_run_backward", observe)):
        yield


Applied = Callable[[type, Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]


@contextmanager
def function_applied(observe: Applied) -> Iterator[None]:
    """Every ``MyFunction.apply(*args)`` here is ``observe(MyFunction, apply, args, kwargs)``.

    No torch function mode reports it. Up to torch 2.13 `Function.apply` is Python that asks the
    class above it, ``_SingleLevelFunction``, where the classmethod is put, so that bound methods
    which were kept from before are seen too. Later it is C, and is replaced itself.
    """
    function = torch.autograd.Function
    own = vars(function)["apply"]
    asks_above = isinstance(own, classmethod)
    owner: Any = torch.autograd.function._SingleLevelFunction if asks_above else function

    def apply(function: type, *args: Any, **kwargs: Any) -> Any:
        original = super(owner, function).apply
        if is_apart():
            return original(*args, **kwargs)
        return observe(function, original, args, kwargs)

    owner.apply = classmethod(apply)
    try:
        yield
    finally:
        if asks_above:
            del owner.apply
        else:
            owner.apply = own


_CLIPS: Any = (
    torch.nn.utils.clip_grad._get_total_norm,
    torch.nn.utils.clip_grad._clip_grads_with_norm_,
    torch.nn.utils.clip_grad.clip_grad_value_,
)


def clipping(
    by_norm: Callable[[Sequence[Tensor], Tensor, float, float], None],
    by_value: Callable[[Sequence[Tensor], float], None],
) -> Iterator[Patch]:
    """The patches by which every clipping of gradients is told, before it happens.

    By norm: the parameters, their norm, what it may be, and its order, NaN for a norm that the
    program found by itself. By value: the parameters, and the largest value.
    """
    found: tuple[Tensor | None, float] = (None, math.nan)

    def norm(run: Any, tensors: Any, norm_type: float = 2.0, *args: Any, **options: Any) -> Tensor:
        nonlocal found
        total: Tensor = run(tensors, norm_type, *args, **options)
        found = total, float(norm_type)
        return total

    def scale(
        run: Any, parameters: Any, max_norm: float, total_norm: Tensor, *args: Any, **options: Any
    ) -> None:
        held = _listed(parameters)
        order = found[1] if total_norm is found[0] else math.nan
        by_norm(held, total_norm, float(max_norm), order)
        run(held, max_norm, total_norm, *args, **options)

    def clamp(run: Any, parameters: Any, clip_value: float, *args: Any, **options: Any) -> None:
        held = _listed(parameters)
        by_value(held, float(clip_value))
        run(held, clip_value, *args, **options)

    observers: tuple[Callable[..., Any], ...] = (norm, scale, clamp)
    for clip, observe in zip(_CLIPS, observers, strict=True):
        # The program may have imported the function by name. All of them are decorated, and what
        # the decorator wraps is changed where it holds it.
        cell = clip.__closure__[clip.__code__.co_freevars.index("func")]
        yield cell, "cell_contents", observe


def _listed(parameters: Any) -> list[Tensor]:
    """What may be one tensor, or a generator that is read but once."""
    return [parameters] if isinstance(parameters, Tensor) else list(parameters)


def resized(resize: Callable[..., Any], storage: torch.UntypedStorage, *args: Any) -> Any:
    """``storage.resize_(…)``, as sharded training calls it, of memory that is not shared so."""
    if storage.device.type != "meta":
        storage.data_ptr()
    return resize(storage, *args)
