"""The private torch APIs that nothing public replaces, each wrapped once, each with a test."""

from __future__ import annotations

import random
import types
import warnings
from collections.abc import Callable, Iterator
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


def is_apart() -> bool:
    """Whether the debugger is at work on its own account: see `apart`."""
    return _apart.get()


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
