"""Any PyTorch code -> Tape: one TorchFunctionMode that watches and changes nothing."""

from __future__ import annotations

import itertools
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
)
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)
from torch.overrides import TorchFunctionMode

from . import calls
from .attribution import attributed
from .calls import Kind
from .foreach import Single, singles
from .frames import source
from .garbage import seldom_collected
from .modules import Modules
from .ops import Where
from .patches import asking, function_applied, patched, resized
from .private import guardless, transforming, unseen
from .rules import registry
from .tape import Scope, Tape, tensors
from .taping import Taping
from .training import TrainingEvents


class Recorder(TrainingEvents, TorchFunctionMode):
    """Records on `tape` everything that torch's public functions do while it is entered.

    Args:
        model: the module whose parameters and submodules name what is recorded.
        tape: the tape to fill; it is complete after the ``with`` block.
        discover: name everything by the models that are met, as `modules.Modules` says.

    All patches and hooks are undone on exit, also on an exception, which is never swallowed.
    """

    _running = False

    def __init__(
        self, model: nn.Module | None = None, tape: Tape | None = None, discover: bool = False
    ) -> None:
        super().__init__()
        self.tape = tape or Tape()
        self._names = Modules(model, discover)
        self._taping = Taping(self._names)
        self._modules: list[nn.Module] = []
        self._scopes: dict[Callable[..., Any], Scope] = {}  # composites that are open
        self._calls = itertools.count(1)
        self._depth = 0
        self._aside = False  # while a custom Function runs; for a handler torch does it
        self._thread: int | None = None  # the one that a backward pass was begun in
        self._exits = ExitStack()

    def __enter__(self) -> Tape:
        if self._depth == 0:
            if Recorder._running:
                raise RuntimeError(
                    "a recording is running already: end it before another begins, "
                    "or record both in one block"
                )
            Recorder._running = True
            self._exits.callback(setattr, Recorder, "_running", False)
            try:
                self._observe()
            except BaseException:
                self._exits.close()
                raise
        self._depth += 1
        super().__enter__()  # type: ignore[no-untyped-call]
        return self.tape

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, where)  # type: ignore[no-untyped-call]
        self._depth -= 1
        if self._depth == 0:
            self._exits.close()
            self._fill(self.tape)
            self._taping.forget()

    def _observe(self) -> None:
        """Hook and patch what no mode reports, until the exit."""
        enter = self._exits.enter_context
        enter(seldom_collected())
        enter(attributed())
        if "torch._dynamo" in sys.modules:  # loading it takes seconds, and torch.compile does it
            enter(torch.compiler.set_stance("force_eager"))
        enter(function_applied(self._custom))
        patches = (
            (torch, "compile", self._compile),
            (torch.UntypedStorage, "resize_", resized),
            (torch.utils.checkpoint.CheckpointFunction, "backward", self._recompute),
        )
        enter(patched(*patches, *asking(), *self._training_patches()))
        enter(self._hooks())

    @contextmanager
    def _hooks(self) -> Iterator[None]:
        hooks = (
            register_module_forward_pre_hook(self._enter_module),
            register_module_forward_hook(self._leave_module, always_call=True),
            register_optimizer_step_pre_hook(self._before_step),
            register_optimizer_step_post_hook(self._after_step),
        )
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _fill(self, tape: Tape) -> None:
        self._taping.fill(tape)
        tape.modules = self._names.types
        tape.parameters = self._names.parameters
        tape.unregistered = self._names.unregistered

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if self._aside or transforming():
            return func(*args, **kwargs)
        known = calls.called(func)
        if known.kind is not Kind.OP:
            return self._beside(known, func, args, kwargs)
        if self._taping.stepping and not torch.is_grad_enabled():
            return func(*args, **kwargs)
        if known.python and self._is_composite(func):
            return self._look_into(known.name, func, args, kwargs)
        return self._call(known, func, args, kwargs)

    def _beside(
        self,
        known: calls.Called,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> Any:
        """What is called beside the ops, and may be worth a note; not the optimizer's own."""
        if known.kind is Kind.GRAD:
            return self._ask(func, args)
        if known.kind is Kind.QUERY:
            self._look_at_query(known.name, func, args)
        elif not self._taping.stepping or torch.is_grad_enabled():
            if known.kind is Kind.HOOK:
                return self._taping.hook(*args, **kwargs)
            if known.kind is Kind.BACKWARD and calls.batched(func, args, kwargs):
                return func(*args, **kwargs)
            if known.kind is Kind.BACKWARD:
                return self._differentiate(func, args, kwargs)
            self._taping.event(known.name, args[:1])
        return func(*args, **kwargs)

    def _ask(self, func: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """A tensor's `.grad`, which may be None."""
        answer = func(*args)
        if answer is None:
            self._taping.event("grad", args)
        return answer

    def _look_at_query(self, name: str, func: Callable[..., Any], args: tuple[Any, ...]) -> None:
        """A call that computes nothing may still assign, or turn autograd off."""
        if self._taping.stepping:
            return
        if func in calls.ASSIGNED:
            self._taping.event(calls.ASSIGNED[func], args[:1], args[1])
        elif name == "_set_grad_enabled" and not args[0]:
            self._taping.event("no_grad", ())

    def _look_into(
        self,
        name: str,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> Any:
        """Run a composite's body, whose ops are put on the tape."""
        self._scopes[func] = Scope(name, next(self._calls))
        try:
            with self:
                return guardless(func)(*args, **kwargs)
        finally:
            del self._scopes[func]

    def _is_composite(self, func: Callable[..., Any]) -> bool:
        """Whether `func`, which is Python, has no rule: its inner ops are the tape then.

        A function that is already open is a leaf: ``boolean_dispatch`` calls itself.
        """
        return registry.find(func) is None and func not in self._scopes

    def _custom(self, function: type, apply: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """``function.apply(*args)`` of a user's autograd.Function, which no mode reports.

        What it calls itself is the program's, under its modes, but no op of the tape.
        """
        if self._aside:
            return apply(*args, **kwargs)
        self._aside = True
        try:
            return self._call(calls.called(function), apply, args, kwargs)
        finally:
            self._aside = False

    def _call(
        self,
        known: calls.Called,
        run: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> Any:
        """Run an op and put it on the tape."""
        if known.lists and (each := singles(known.name, args, kwargs)):
            return self._call_for_each(each, run, args, kwargs)
        with unseen():
            call = self._taping.before(known, args, kwargs)
        output = self._run(run, args, kwargs)
        with unseen():
            self._taping.after(call, output, self._where)
        return output

    def _call_for_each(
        self,
        each: Sequence[Single],
        run: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> Any:
        """Run what is called for lists of tensors, and put it on the tape as an op for each."""
        with unseen():
            pending = [
                self._taping.before(calls.called(one.function), one.args, one.kwargs)
                for one in each
            ]
        outputs = self._run(run, args, kwargs)
        with unseen():
            for call, output in zip(pending, outputs or args[0], strict=True):
                self._taping.after(call, output, self._where)
        return outputs

    def _run(
        self, run: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """Make a call of the program's; what was given to one that raises is evidence."""
        try:
            return run(*args, **kwargs)
        except Exception:
            with unseen():
                self._taping.event("raised", tuple(tensors((args, dict(kwargs)))))
            raise

    def _recompute(self, backward: Callable[..., Any], *args: Any) -> Any:
        """The backward of a reentrant checkpoint: a forward and a backward pass of their own.

        On a GPU it runs in another thread, where autograd counts its nodes anew.
        """
        if self._thread != threading.get_ident():
            return backward(*args)
        with self:
            return backward(*args)

    def _differentiate(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        outer, self._thread = self._thread, threading.get_ident()
        try:
            return self._taping.differentiate(func, args, kwargs)
        finally:
            self._thread = outer

    def _where(self) -> Where:
        if not self._modules:
            return Where("", "", tuple(self._scopes.values()), source())
        module = self._modules[-1]
        path = self._names.path(module)
        return Where(path, type(module).__name__, tuple(self._scopes.values()), source())

    def _enter_module(self, module: nn.Module, args: Any) -> None:
        if self._names.discovers:
            self._names.meet(module, self._modules[-1] if self._modules else None)
        self._modules.append(module)

    def _leave_module(self, module: nn.Module, args: Any, output: Any) -> None:
        if self._modules:  # empty where the recording began inside a module
            self._modules.pop()

    def _compile(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """``torch.compile(…)``, whose code is recorded as Python that is not compiled."""
        if self._depth:
            self._exits.enter_context(torch.compiler.set_stance("force_eager"))
        return call(*args, **kwargs)


def record(model: nn.Module | None = None) -> Recorder:
    """Record a training step: ``with record(model) as tape: ...``."""
    return Recorder(model)
