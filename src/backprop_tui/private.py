"""The private torch APIs that nothing public replaces, each wrapped once, each with a test."""

from __future__ import annotations

import functools
import math
import random
import types
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes

_lazy_clone = torch._lazy_clone


def snapshot(tensor: Tensor) -> Tensor:
    """The tensor's present value, detached, safe from later in-place writes.

    A copy-on-write clone (``torch._lazy_clone``), which costs about a microsecond and no
    memory until somebody writes. Tensors over foreign memory (from_numpy, mmap) refuse
    it and are cloned.
    """
    with unseen():
        return snapshot_unseen(tensor)


def snapshot_unseen(tensor: Tensor) -> Tensor:
    """The same for whoever is `unseen` already, as the recorder is around an op."""
    detached = tensor.detach() if tensor.requires_grad else tensor
    try:
        return _lazy_clone(detached)
    except RuntimeError:
        return detached.clone()


_address: Callable[[Tensor], int] = torch._C._data_address  # type: ignore[attr-defined]


def unchanged(tensor: Tensor, kept: Tensor) -> bool:
    """Whether `kept`, a snapshot of `tensor` from before, still shares its memory.

    The first to write to memory that a copy-on-write clone shares moves away. The address
    is read by ``torch._C._data_address``, since ``data_ptr`` counts as a write. Of a sparse
    tensor nothing is known, which has several memories, nor of a nested one, which has no shape.
    """
    try:
        at = _address(kept) == _address(tensor)
        return at and kept.shape == tensor.shape and kept.stride() == tensor.stride()
    except RuntimeError:
        return False


def unshare(tensor: Tensor) -> None:
    """Give a tensor back the memory that its snapshots share with it.

    Memory that is shared so cannot be resized: torch fails when it is next written to.
    """
    if tensor.layout == torch.strided and not tensor.is_meta:
        tensor.data_ptr()


def resized(resize: Callable[..., Any], storage: torch.UntypedStorage, *args: Any) -> Any:
    """``storage.resize_(…)``, as sharded training calls it, of memory that is not shared so."""
    if storage.device.type != "meta":
        storage.data_ptr()
    return resize(storage, *args)


def unseen() -> AbstractContextManager[None]:
    """Torch calls in this block are the debugger's own: no mode sees them."""
    if torch._C._len_torch_dispatch_stack():
        return _undispatched()
    disabled: AbstractContextManager[None] = torch._C.DisableTorchFunction()
    return disabled


@contextmanager
def _undispatched() -> Iterator[None]:
    with torch._C.DisableTorchFunction(), _disable_current_modes():
        yield


def transforming() -> bool:
    """Whether a transform of torch.func runs: its tensors are wrappers that have no memory."""
    return torch._C._functorch.peek_interpreter_stack() is not None


def autocasting() -> bool:
    """Whether autocast is on for any kind of device."""
    on: bool = torch._C._is_any_autocast_enabled()
    return on


next_sequence_number: Callable[[], int] = torch.autograd._get_sequence_nr  # type: ignore[attr-defined]
"""The number that autograd will give to the next node it makes in this thread."""


def sequence_number(node: Any) -> int:
    """The number that autograd gave to a node when it made it."""
    number: int = node._sequence_nr()
    return number


def graph_task() -> int:
    """The number of the backward pass that runs in this thread, the innermost one."""
    number: int = torch._C._current_graph_task_id()
    return number


class _Guardless(dict[str, Any]):
    """A module's globals in which no argument ever claims to override torch functions."""

    def __init__(self, live: dict[str, Any]) -> None:
        super().__init__(
            has_torch_function=lambda *_: False,
            has_torch_function_unary=lambda *_: False,
            has_torch_function_variadic=lambda *_: False,
            __builtins__=live.get("__builtins__"),
        )
        self._live = live

    def __missing__(self, key: str) -> Any:
        return self._live[key]


_clones: dict[Callable[..., Any], Callable[..., Any]] = {}


def guardless(function: Any) -> Callable[..., Any]:
    """A clone of a Python torch function that runs its body instead of asking the mode again."""
    if function not in _clones:
        original = getattr(function, "__wrapped__", function)
        clone = types.FunctionType(
            original.__code__,
            _Guardless(original.__globals__),
            original.__name__,
            original.__defaults__,
            original.__closure__,
        )
        clone.__kwdefaults__ = original.__kwdefaults__
        _clones[function] = clone
    return _clones[function]


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
        if _apart.get():
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


@functools.lru_cache(maxsize=256)
def _stand_in(original: Callable[..., Any]) -> tuple[Callable[..., Any], list[Callable[..., Any]]]:
    """What takes the place of a function, made once, and whom it tells: the last of them."""
    observers: list[Callable[..., Any]] = []

    @functools.wraps(original)
    def patch(*args: Any, **kwargs: Any) -> Any:
        # The program may have kept it, as a bound method, until after the block.
        return observers[-1](original, *args, **kwargs) if observers else original(*args, **kwargs)

    return patch, observers


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


@contextmanager
def engine_runs(observe: Callable[..., Any]) -> Iterator[None]:
    """Every run of autograd's engine here is ``observe(run, *args)``.

    All of ``Tensor.backward``, ``torch.autograd.backward`` and ``torch.autograd.grad`` end in
    ``torch.autograd._engine_run_backward``, whether a mode is active or not.
    """
    with patched((torch.autograd, "_engine_run_backward", observe)):
        yield


@contextmanager
def modes_without(mode: Any) -> Iterator[None]:
    """Torch function modes, without `mode`, come back on top of what is pushed in this block."""
    held = []
    while torch._C._len_torch_function_stack():
        held.append(torch._C._pop_torch_function_stack())
    try:
        yield
    finally:
        for each in reversed(held):
            if each is not mode:
                push(each)


def push(mode: Any) -> None:
    """Put a torch function mode on top of the others."""
    torch._C._push_on_torch_function_stack(mode)


@contextmanager
def filtered(judging: tuple[str, Any, type[Warning], Any, int]) -> Iterator[None]:
    """Warnings here are judged by this filter first: (action, message, category, module, line).

    The list is changed without a word to `warnings`. To tell it, as `catch_warnings` does, would
    make it forget which of the program's warnings it has shown once already.
    """
    warnings.filters.insert(0, judging)  # type: ignore[attr-defined]
    try:
        yield
    finally:
        if judging in warnings.filters:  # the program may have replaced the list
            warnings.filters.remove(judging)  # type: ignore[attr-defined]


_apart: ContextVar[bool] = ContextVar("apart", default=False)


@contextmanager
def apart() -> Iterator[None]:
    """The debugger at work in the middle of a program: nothing of the program's leaks in or out.

    No mode, no observer of Functions, no autocast, no second warning of what torch has warned
    of, and every generator of random numbers goes on where it was.
    """
    python, numbers = random.getstate(), np.random.get_state()
    devices = [device for device in ("cpu", "cuda") if torch.is_autocast_enabled(device)]
    with ExitStack() as exits:
        exits.callback(random.setstate, python)
        exits.callback(np.random.set_state, numbers)
        exits.enter_context(torch.random.fork_rng(enabled=True))
        for device in devices:
            exits.enter_context(torch.autocast(device, enabled=False))
        exits.callback(_apart.reset, _apart.set(True))
        exits.enter_context(filtered(("ignore", None, Warning, None, 0)))
        exits.enter_context(modes_without(None))
        exits.enter_context(torch.enable_grad())
        yield
