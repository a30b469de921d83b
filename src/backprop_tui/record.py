"""Any PyTorch code -> Tape: one TorchFunctionMode that watches and changes nothing."""

from __future__ import annotations

import os
import sys
import types
import weakref
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

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

from .private import guardless, snapshot, unseen
from .rules import registry
from .tape import Backward, Op, Source, Tape, Update, Value, map_tensors, tensors

_TORCH = os.path.dirname(torch.__file__) + os.sep
_TENSOR_PROPERTIES = frozenset(
    getattr(Tensor, name).__get__ for name in ("T", "mT", "H", "mH", "real", "imag", "data")
)
# Calls that neither compute nor carry a tensor: recorded by nobody.
_QUERIES = frozenset(
    """size dim __len__ stride numel nelement ndimension is_contiguous is_floating_point
    is_complex element_size storage_offset data_ptr untyped_storage __repr__ __format__ __hash__
    __bool__ __int__ __float__ __index__ item tolist numpy get_device requires_grad_ is_same_size
    _set_grad_enabled _record_function_enter_new _record_function_exit
    _record_function_exit._RecordFunction register_hook retain_grad has_names is_inference
    is_signed __contains__ is_nonzero __array__ is_pinned __deepcopy__ __reduce_ex__ is_shared
    __dir__ dim_order register_post_accumulate_grad_hook __dlpack__ allclose equal storage
    is_conj is_neg result_type can_cast is_tensor is_set_to _is_view""".split()
)
# Ops that draw random numbers; their generator's state is kept, to replay the same draw.
_RANDOM = frozenset(
    """dropout dropout_ dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout rrelu
    rrelu_ bernoulli scaled_dot_product_attention multi_head_attention_forward gumbel_softmax
    fractional_max_pool2d fractional_max_pool3d lstm gru rnn_tanh rnn_relu""".split()
)


class Recorder(TorchFunctionMode):
    """Records everything that torch's public functions do while it is entered.

    Args:
        model: the module whose parameters and submodules name what is recorded.

    The tape is `tape` after the ``with`` block. All patches and hooks are undone on
    exit, also on an exception, which is never swallowed.
    """

    def __init__(self, model: nn.Module | None = None) -> None:
        super().__init__()
        self.tape = Tape()
        self._ops: list[Op] = []
        self._values: list[Value] = []
        self._backwards: list[Backward] = []
        self._updates: list[Update] = []
        self._index: dict[Any, int] = {}  # identity of a tensor -> value
        self._kept: list[Any] = []  # what must stay alive for an identity to hold
        self._modules: list[nn.Module] = []
        self._scopes: list[Callable[..., Any]] = []
        self._pending: list[Update] = []
        self._depth = 0
        self._exits = ExitStack()
        named = model.named_modules() if model is not None else ()
        self._paths = {module: path for path, module in named}
        parameters = [*model.named_parameters(), *model.named_buffers()] if model else []
        self._names = {id(tensor): name for name, tensor in parameters}

    def __enter__(self) -> Self:
        if self._depth == 0:
            hooks = (
                register_module_forward_pre_hook(self._enter_module),
                register_module_forward_hook(self._leave_module, always_call=True),
                register_optimizer_step_pre_hook(self._before_step),
                register_optimizer_step_post_hook(self._after_step),
            )
            for hook in hooks:
                self._exits.callback(hook.remove)
        self._depth += 1
        super().__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, where)
        self._depth -= 1
        if self._depth == 0:
            self._exits.close()
            self.tape = Tape(
                tuple(self._ops),
                tuple(self._values),
                tuple(self._backwards),
                tuple(self._updates),
                {path: type(module).__name__ for module, path in self._paths.items()},
            )
            self._index.clear()
            self._kept.clear()

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
        elif name in _QUERIES or (self._pending and not torch.is_grad_enabled()):
            return func(*args, **kwargs)
        elif name == "backward":
            return self._backward(func, args, kwargs)
        elif self._is_composite(func):
            self._scopes.append(func)
            try:
                with self:
                    return guardless(func)(*args, **kwargs)
            finally:
                self._scopes.pop()
        return self._record(name, func, args, kwargs)

    def _is_composite(self, func: Callable[..., Any]) -> bool:
        """Whether `func` is Python that has no rule of its own, so that its inner ops are the tape.

        A function that is already open is a leaf: ``boolean_dispatch`` calls itself.
        """
        return (
            isinstance(func, types.FunctionType)
            and registry.find(func) is None
            and func not in self._scopes
        )

    def _record(
        self, name: str, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        inputs = tuple(self._read(tensor) for tensor in tensors((args, kwargs)))
        saved_args, saved_kwargs = map_tensors(snapshot, (args, dict(kwargs)))
        module = self._modules[-1] if self._modules else None
        source = self._source()
        rng_state = torch.get_rng_state() if name in _RANDOM else None
        autocast = torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu")
        output = func(*args, **kwargs)
        results = tuple(tensors(output))
        op = Op(
            index=len(self._ops),
            name=name,
            function=func,
            args=saved_args,
            kwargs=saved_kwargs,
            inputs=inputs,
            outputs=tuple(snapshot(tensor) for tensor in results),
            results=tuple(self._written(tensor) for tensor in results),
            node=next((t.grad_fn.name() for t in results if t.grad_fn is not None), ""),
            module=self._paths.get(module, "") if module is not None else "",
            module_type=type(module).__name__ if module is not None else "",
            source=source,
            grad_mode=torch.is_grad_enabled(),
            autocast=autocast,
            rng_state=rng_state,
        )
        self._ops.append(op)
        return output

    def _backward(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """Let the user's backward run, with a hook on the node of every value on the tape."""
        cotangents: dict[int, Tensor] = {}
        by_node: dict[Any, dict[int, int]] = {}
        for key, value in self._index.items():
            if isinstance(key, tuple):
                node, number = key
                by_node.setdefault(node, {})[number] = value
        roots = tuple(self._read(root) for root in tensors(args[0]))
        gradients = tuple(tensors(args[1] if len(args) > 1 else kwargs.get("gradient")))
        seeds = gradients or tuple(torch.ones_like(root) for root in tensors(args[0]))
        with ExitStack() as exits:
            for node, numbers in by_node.items():
                handle = node.register_prehook(_keep(numbers, cotangents))
                exits.callback(handle.remove)
            result = func(*args, **kwargs)
        saved = tuple(snapshot(seed) for seed in seeds)
        self._backwards.append(Backward(roots, saved, cotangents, len(self._ops)))
        return result

    def _read(self, tensor: Tensor) -> int:
        """The value that `tensor` is, new on the tape if it comes from outside."""
        key = self._identity(tensor)
        value = self._index.get(key)
        return self._new(key, tensor, leaf=True) if value is None else value

    def _written(self, tensor: Tensor) -> int:
        """The value of an op's output: new, unless the op handed back a tensor unchanged."""
        key = self._identity(tensor)
        known = self._index.get(key)
        if known is not None and tensor.requires_grad:
            return known
        return self._new(key, tensor, leaf=False)

    def _new(self, key: Any, tensor: Tensor, leaf: bool) -> int:
        value = len(self._values)
        name = self._names.get(id(tensor), "")
        self._values.append(Value(value, name, snapshot(tensor), tensor.requires_grad, leaf))
        self._index[key] = value
        return value

    def _identity(self, tensor: Tensor) -> Any:
        """A differentiable tensor is its gradient edge; any other is its Python object."""
        if tensor.requires_grad:
            if tensor.grad_fn is not None:
                return (tensor.grad_fn, tensor.output_nr)
            key = id(tensor)
            if key not in self._index:
                # The leaf's AccumulateGrad node is kept, so that this edge stays the same object.
                edge = torch.autograd.graph.get_gradient_edge(tensor)
                self._kept.append(tensor)
                self._index[key] = self._new((edge.node, edge.output_nr), tensor, leaf=True)
            return key
        key = id(tensor)
        if key not in self._index:
            weakref.finalize(tensor, self._index.pop, key, None)
        return key

    def _source(self) -> Source | None:
        """The innermost frame that is neither torch's nor the recorder's."""
        frame: types.FrameType | None = sys._getframe(2)
        while frame is not None:
            file = frame.f_code.co_filename
            if file != __file__ and file[0] != "<" and not file.startswith(_TORCH):
                return Source(file, frame.f_lineno, frame.f_code.co_name)
            frame = frame.f_back
        return None

    def _enter_module(self, module: nn.Module, args: Any) -> None:
        self._modules.append(module)

    def _leave_module(self, module: nn.Module, args: Any, output: Any) -> None:
        self._modules.pop()

    def _before_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        for group in optimizer.param_groups:
            options = {key: item for key, item in group.items() if key != "params"}
            for param in group["params"]:
                if param.grad is None:
                    continue
                with unseen():
                    value = self._read(param)
                self._pending.append(
                    Update(
                        optimizer=type(optimizer),
                        value=value,
                        name=self._names.get(id(param), ""),
                        before=snapshot(param),
                        grad=snapshot(param.grad),
                        after=param,
                        options=options,
                        state=map_tensors(snapshot, dict(optimizer.state.get(param, {}))),
                    )
                )

    def _after_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        for update in self._pending:
            fields = {name: getattr(update, name) for name in Update.__slots__}
            self._updates.append(Update(**{**fields, "after": snapshot(update.after)}))
        self._pending.clear()


def _keep(numbers: Mapping[int, int], cotangents: dict[int, Tensor]) -> Callable[[Any], None]:
    """A node prehook that keeps the cotangents of the outputs numbered in `numbers`."""

    def prehook(grads: tuple[Tensor | None, ...]) -> None:
        for number, value in numbers.items():
            grad = grads[number] if number < len(grads) else None
            if grad is not None:
                cotangents[value] = snapshot(grad)

    return prehook


def record(model: nn.Module | None = None) -> Recorder:
    """Record a training step: ``with record(model) as recorder: ...``, then `recorder.tape`."""
    return Recorder(model)
