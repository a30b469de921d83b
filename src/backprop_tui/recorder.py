"""Any PyTorch code -> Tape: one TorchFunctionMode that watches and changes nothing."""

from __future__ import annotations

import functools
import os
import sys
import types
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
)
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)
from torch.overrides import TorchFunctionMode, resolve_name

from . import private
from .gradients import Span, capture
from .identity import Identities
from .private import function_applied, guardless, next_sequence_number, snapshot, unseen
from .rules import registry
from .rules.implicit import write_through
from .tape import Ambient, Backward, Op, Source, Tape, Update, map_tensors, tensors

_TORCH = os.path.dirname(torch.__file__) + os.sep
_OURS = (__file__, private.__file__)
_TENSOR_PROPERTIES = frozenset(
    getattr(Tensor, name).__get__ for name in ("T", "mT", "H", "mH", "real", "imag", "data")
)
# Calls that neither compute nor carry a tensor; passing them by is for speed alone.
_QUERIES = frozenset(
    """size dim __len__ stride numel nelement ndimension is_contiguous is_floating_point
    is_complex element_size storage_offset data_ptr untyped_storage __repr__ __format__
    __hash__ __bool__ __int__ __float__ __index__ item tolist numpy get_device
    requires_grad_ is_same_size _set_grad_enabled _record_function_enter_new
    _record_function_exit _record_function_exit._RecordFunction retain_grad has_names
    is_inference is_signed __contains__ is_nonzero __array__ is_pinned __deepcopy__
    __reduce_ex__ is_shared __dir__ dim_order register_post_accumulate_grad_hook __dlpack__
    allclose equal storage is_conj is_neg result_type can_cast is_tensor
    is_set_to _is_view""".split()  # noqa: SIM905 - so many names read better as words
)
# Ops that draw random numbers; the generators' states are kept, to replay the same draw.
_RANDOM = frozenset(
    {
        *("dropout", "dropout_", "dropout1d", "dropout2d", "dropout3d", "feature_dropout"),
        *("feature_dropout_", "alpha_dropout", "alpha_dropout_", "feature_alpha_dropout"),
        *("feature_alpha_dropout_", "rrelu", "rrelu_", "bernoulli", "gumbel_softmax"),
        *("scaled_dot_product_attention", "multi_head_attention_forward"),
        *("fractional_max_pool2d", "fractional_max_pool3d"),
        *("fractional_max_pool2d_with_indices", "fractional_max_pool3d_with_indices"),
        *("lstm", "gru", "rnn_tanh", "rnn_relu"),
    }
)
_NOTHING = Ambient()
_DIFFERENTIATING = frozenset((Tensor.backward, torch.autograd.backward, torch.autograd.grad))


class Recorder(TorchFunctionMode):
    """Records on `tape` everything that torch's public functions do while it is entered.

    Args:
        model: the module whose parameters and submodules name what is recorded.
        tape: the tape to fill; it is complete after the ``with`` block.

    All patches and hooks are undone on exit, also on an exception, which is never swallowed.
    """

    _running = False

    def __init__(self, model: nn.Module | None = None, tape: Tape | None = None) -> None:
        super().__init__()
        self.tape = tape or Tape()
        self._ops: list[Op] = []
        self._spans: list[Span] = []
        self._backwards: list[Backward] = []
        self._updates: list[Update] = []
        self._hooked: set[int] = set()  # values with a hook of the user's
        self._replaced: set[int] = set()  # values whose gradient such a hook replaced
        self._stepping: list[tuple[Update, Tensor]] = []
        self._modules: list[nn.Module] = []
        self._scopes: list[Callable[..., Any]] = []
        self._depth = 0
        self._exits = ExitStack()
        self._paths = {module: path for path, module in model.named_modules()} if model else {}
        self._names = _names(self._paths)
        self._identities = Identities(self._names)

    def __enter__(self) -> Tape:
        if self._depth == 0:
            if Recorder._running:
                raise RuntimeError(
                    "a recording is running already: end it before another begins, "
                    "or record both in one block"
                )
            Recorder._running = True
            self._exits.callback(setattr, Recorder, "_running", False)
            if "torch._dynamo" in sys.modules:  # nothing is compiled without it
                self._exits.enter_context(torch.compiler.set_stance("force_eager"))
            hooks = (
                register_module_forward_pre_hook(self._enter_module),
                register_module_forward_hook(self._leave_module, always_call=True),
                register_optimizer_step_pre_hook(self._before_step),
                register_optimizer_step_post_hook(self._after_step),
            )
            for hook in hooks:
                self._exits.callback(hook.remove)
            self._exits.enter_context(function_applied(self._custom))
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
            self.tape.ops = tuple(self._ops)
            self.tape.values = tuple(self._identities.values)
            self.tape.backwards = tuple(self._backwards)
            self.tape.updates = tuple(self._updates)
            self.tape.modules = {path: type(m).__name__ for m, path in self._paths.items()}
            self._identities.forget()

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", str(func))
        if name == "__get__":
            if func not in _TENSOR_PROPERTIES:
                return func(*args, **kwargs)
            name = resolve_name(func) or name
        elif name in _QUERIES or (self._stepping and not torch.is_grad_enabled()):
            return func(*args, **kwargs)
        elif func is Tensor.register_hook:
            return self._hook(*args, **kwargs)
        elif func in _DIFFERENTIATING:
            return self._differentiate(func, args, kwargs)
        elif self._is_composite(func):
            self._scopes.append(func)
            try:
                with self:
                    return guardless(func)(*args, **kwargs)
            finally:
                self._scopes.pop()
        return self._call(name, func, func, args, kwargs)

    def _is_composite(self, func: Callable[..., Any]) -> bool:
        """Whether `func` is Python that has no rule of its own, so that its inner ops are the tape.

        A function that is already open is a leaf: ``boolean_dispatch`` calls itself.
        """
        return (
            isinstance(func, types.FunctionType)
            and registry.find(func) is None
            and func not in self._scopes
        )

    def _custom(self, function: type, apply: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """``function.apply(*args)`` of a user's autograd.Function, which no mode reports."""
        with unseen():
            return self._call(function.__name__, function, apply, args, kwargs)

    def _call(
        self,
        name: str,
        function: Callable[..., Any],
        run: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> Any:
        """Run the op and put it on the tape, if it is one that carries tensors."""
        first = next_sequence_number()
        written = _written(name, args, kwargs)
        base = _base(written) if written is not None else None
        before = self._read(base) if base is not None else -1
        base_was = snapshot(base) if base is not None else None
        inputs, (saved_args, saved_kwargs) = self._keep((args, dict(kwargs)))
        ambient = _ambient(name, args)
        output = run(*args, **kwargs)
        self._spans.append((first, next_sequence_number()))
        results = tuple(tensors(output)) if written is None else (written,)
        if not results:
            return output
        through_view = base is not None and base.requires_grad
        made = self._identities.virtual if through_view else self._made
        indices = tuple(map(made, results))
        op = Op(
            index=len(self._ops),
            name=name,
            function=function,
            args=saved_args,
            kwargs=saved_kwargs,
            inputs=inputs,
            outputs=tuple(map(self._identities.content, indices, results)),
            results=indices,
            node=next((t.grad_fn.name() for t in results if t.grad_fn is not None), ""),
            module=self._paths.get(self._modules[-1], "") if self._modules else "",
            module_type=type(self._modules[-1]).__name__ if self._modules else "",
            source=_source(),
            grad_mode=torch.is_grad_enabled(),
            ambient=ambient,
        )
        self._ops.append(op)
        if through_view and base is not None and base_was is not None:
            self._scatter(op, base, base_was, before, written)
        return output

    def _keep(self, arguments: Any) -> tuple[tuple[int, ...], Any]:
        """The values that arguments are, and the same arguments with their tensors kept.

        No two of the tensors are one object, so that each stands for its own argument.
        """
        inputs: list[int] = []

        def keep(tensor: Tensor) -> Tensor:
            index = self._read(tensor)
            again = index in inputs
            inputs.append(index)
            return snapshot(tensor) if again else self._identities.content(index, tensor)

        kept = map_tensors(keep, arguments)
        return tuple(inputs), kept

    def _read(self, tensor: Tensor) -> int:
        """The value that `tensor` is: known, a view regenerated, or new from outside."""
        found = self._identities.find(tensor)
        if found is not None:
            return found
        if tensor.requires_grad and tensor.grad_fn is not None and tensor._is_view():
            base = tensor._base
            if base is not None and base.requires_grad:
                return self._look_again(tensor, base)
        return self._identities.add(tensor, leaf=True)

    def _made(self, tensor: Tensor) -> int:
        """The value of an op's output: new, unless the op handed back a tensor as it was."""
        found = self._identities.find(tensor)
        if found is not None and tensor.requires_grad:
            return found
        return self._identities.add(tensor, leaf=False)

    def _look_again(self, view: Tensor, base: Tensor) -> int:
        """A view whose base was written to: autograd makes it anew from the base."""
        source = self._read(base)
        geometry = (tuple(view.size()), tuple(view.stride()), view.storage_offset())
        result = self._identities.add(view, leaf=False)
        self._implicit(torch.as_strided, (snapshot(base), *geometry), (source,), view, result)
        return result

    def _scatter(
        self, op: Op, base: Tensor, base_was: Tensor, before: int, written: Tensor | None
    ) -> None:
        """A write into a view makes a new version of the base."""
        assert written is not None
        geometry = (tuple(written.size()), tuple(written.stride()), written.storage_offset())
        args = (base_was, op.outputs[0], *geometry)
        inputs = (before, op.results[0])
        result = self._made(base)
        self._implicit(write_through, args, inputs, base, result)

    def _implicit(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        inputs: tuple[int, ...],
        made: Tensor,
        result: int,
    ) -> None:
        op = Op(
            index=len(self._ops),
            name=getattr(function, "__name__", ""),
            function=function,
            args=args,
            kwargs={},
            inputs=inputs,
            outputs=(snapshot(made),),
            results=(result,),
            node="",
            module=self._paths.get(self._modules[-1], "") if self._modules else "",
            module_type="",
            source=_source(),
            grad_mode=torch.is_grad_enabled(),
            ambient=Ambient(),
            implicit=True,
        )
        self._ops.append(op)

    def _differentiate(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """Let the user's backward run under hooks that keep what autograd computes."""
        tensors_in = tuple(tensors(args[0] if args else kwargs.get("outputs", kwargs)))
        roots = tuple(self._read(root) for root in tensors_in)
        seeds = _seeds(func, args, kwargs, tensors_in)
        after = len(self._ops)
        self._replaced.clear()
        with capture(
            self._ops, self._spans, self._identities, tensors_in, self._hooked
        ) as captured:
            result = func(*args, **kwargs)
        if (
            func is torch.autograd.grad
        ):  # it answers, and runs no hook of the leaves it is asked for
            asked = tensors(args[1] if len(args) > 1 else kwargs["inputs"])
            for tensor, answer in zip(asked, result, strict=True):
                if answer is not None:
                    captured.cotangents[self._read(tensor)] = snapshot(answer)
        replaced = frozenset(self._replaced)
        self._backwards.append(
            Backward(roots, seeds, after=after, replaced=replaced, **vars(captured))
        )
        return result

    def _hook(self, tensor: Tensor, hook: Callable[[Tensor], Tensor | None]) -> Any:
        """Register the user's hook, and notice when it replaces a gradient."""
        value = self._read(tensor)
        self._hooked.add(value)

        def noticed(grad: Tensor) -> Tensor | None:
            answer = hook(grad)
            if answer is not None:
                self._replaced.add(value)
            return answer

        return tensor.register_hook(noticed)

    def _enter_module(self, module: nn.Module, args: Any) -> None:
        self._modules.append(module)

    def _leave_module(self, module: nn.Module, args: Any, output: Any) -> None:
        self._modules.pop()

    def _before_step(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        for group in optimizer.param_groups:
            options = {key: item for key, item in group.items() if key != "params"}
            for param in group["params"]:
                if param.grad is None:
                    continue
                with unseen():
                    value = self._read(param)
                update = Update(
                    optimizer=type(optimizer),
                    value=value,
                    name=self._names.get(id(param), ""),
                    before=snapshot(param),
                    grad=snapshot(param.grad),
                    after=param,
                    options=options,
                    state=map_tensors(snapshot, dict(optimizer.state.get(param, {}))),
                    backwards=len(self._backwards),
                )
                self._stepping.append((update, param))

    def _after_step(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        for update, param in self._stepping:
            self._updates.append(replace(update, after=snapshot(param)))
        self._stepping.clear()


def _names(paths: Mapping[nn.Module, str]) -> dict[int, str]:
    """The id of every parameter and buffer -> the first path to it."""
    names: dict[int, str] = {}
    for module, path in paths.items():
        for name, tensor in (*module._parameters.items(), *module._buffers.items()):
            if tensor is not None:
                names.setdefault(id(tensor), f"{path}.{name}" if path else name)
    return names


def _written(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor | None:
    """The tensor that an op works on in place, None for one that does not."""
    in_place = name == "__setitem__" or (name[-1:] == "_" and name[-2:] != "__")
    in_place = in_place or (name[:3] == "__i" and name not in ("__invert__", "__index__"))
    target = args[0] if args and in_place else None
    return target if isinstance(target, Tensor) else None


def _base(written: Tensor) -> Tensor | None:
    """The base of a view that is about to be written to, where autograd may follow the write."""
    if torch.is_grad_enabled() and written._is_view():
        return written._base
    return None


def _ambient(name: str, args: tuple[Any, ...]) -> Ambient:
    devices = [device for device in ("cpu", "cuda") if torch.is_autocast_enabled(device)]
    if not devices and name not in _RANDOM:
        return _NOTHING
    autocast = {device: torch.get_autocast_dtype(device) for device in devices}
    rng = {}
    if name in _RANDOM:
        rng["cpu"] = torch.get_rng_state()
        device = next((tensor.device for tensor in tensors(args)), None)
        if device is not None and device.type == "cuda":
            rng["cuda"] = torch.cuda.get_rng_state(device)
    return Ambient(autocast, rng)


def _seeds(
    func: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    roots: tuple[Tensor, ...],
) -> tuple[Tensor, ...]:
    """The cotangents that a backward starts with: ones, where the caller gives none."""
    position, names = {
        Tensor.backward: (1, ("gradient",)),
        torch.autograd.backward: (1, ("grad_tensors",)),
        torch.autograd.grad: (2, ("grad_outputs",)),
    }[func]
    given = args[position] if len(args) > position else kwargs.get(names[0])
    listed = given if isinstance(given, (tuple, list)) else [given] * len(roots)
    return tuple(
        torch.ones_like(root) if seed is None else snapshot(seed)
        for root, seed in zip(roots, listed, strict=False)  # torch itself says what is amiss
    )


def _source() -> Source | None:
    """The innermost frame that is neither torch's nor the recorder's."""
    frame: types.FrameType | None = sys._getframe(2)
    while frame is not None:
        code = frame.f_code
        if _is_users(code.co_filename):
            return Source(code.co_filename, frame.f_lineno, code.co_name)
        frame = frame.f_back
    return None


@functools.lru_cache(maxsize=4096)
def _is_users(file: str) -> bool:
    return file not in _OURS and file[0] != "<" and not file.startswith(_TORCH)


def record(model: nn.Module | None = None) -> Recorder:
    """Record a training step: ``with record(model) as tape: ...``."""
    return Recorder(model)
