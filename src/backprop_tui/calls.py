"""Questions about one call of a torch function that the recorder sees."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import torch
from torch import Tensor

from .foreach import FOREACH
from .tape import Ambient, tensors

PROPERTIES = {
    getattr(Tensor, name).__get__: f"torch.Tensor.{name}.__get__"
    for name in ("T", "mT", "H", "mH", "real", "imag", "data")
}
"""The attributes that are ops, with their names: the others only ask."""

GRAD: Any = getattr(Tensor, "grad").__get__  # noqa: B009 - typed as what it gets

ASSIGNED = {getattr(Tensor, name).__set__: f"{name}=" for name in ("grad", "data", "requires_grad")}
"""Setters -> the kind of event that they are."""

EVENTS = frozenset(("numpy", "item", "tolist", "requires_grad_", "__array__", "__float__"))
"""Queries that take a value out of the graph, or claim it back."""

# Calls that neither compute nor carry a tensor; passing them by is for speed alone.
QUERIES = frozenset(
    """size dim __len__ stride numel nelement ndimension is_contiguous is_floating_point
    is_complex element_size storage_offset data_ptr untyped_storage __repr__ __format__
    __hash__ __bool__ __int__ __index__ get_device __set__ __delete__
    is_same_size _set_grad_enabled _record_function_enter_new
    _record_function_exit _record_function_exit._RecordFunction retain_grad has_names
    is_inference is_signed __contains__ is_nonzero is_pinned __deepcopy__
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
NOTHING = Ambient()
"""What most calls depend on."""

_RMS_NORM = frozenset((torch.nn.functional.rms_norm, torch.rms_norm))

_RESIZING = frozenset(("resize_", "resize_as_", "fused_moving_avg_obs_fake_quant"))

DIFFERENTIATING = frozenset((Tensor.backward, torch.autograd.backward, torch.autograd.grad))


class Kind(Enum):
    """What a call is to the recorder."""

    OP = auto()
    QUERY = auto()
    GRAD = auto()
    EVENT = auto()
    HOOK = auto()
    BACKWARD = auto()


@dataclass(frozen=True, slots=True)
class Called:
    """What is known of a function before any call of it.

    Attributes:
        name: its own, or for an attribute that is an op its path, "torch.Tensor.T.__get__".
        in_place: whether it works on its first argument in place.
        inplace: where it takes `inplace`, as ``F.relu(x, True)`` does; None if it does not.
        may_write: whether `written` has something to say.
        python: whether it is written in Python.
        random: whether it draws numbers.
        lists: whether it is for lists of tensors.
        settles: whether `settled` has something to say.
        resizes: whether it may resize a tensor that it is given.
    """

    function: Callable[..., Any]
    name: str
    kind: Kind
    in_place: bool
    inplace: int | None
    may_write: bool
    python: bool
    random: bool
    lists: bool
    settles: bool
    resizes: bool


@functools.lru_cache(maxsize=4096)
def called(function: Callable[..., Any]) -> Called:
    """What is known of a function; asked at every call, and found out at the first."""
    name = getattr(function, "__name__", str(function))
    in_place, inplace = _in_place(name), _inplace(function)
    return Called(
        function=function,
        name=PROPERTIES.get(function, name),
        kind=_kind(function, name),
        in_place=in_place,
        inplace=inplace,
        may_write=in_place or inplace is not None,
        python=isinstance(function, types.FunctionType),
        random=name in _RANDOM,
        lists=name.startswith(FOREACH),
        settles=function in _RMS_NORM,
        resizes=name in _RESIZING,
    )


def _kind(function: Callable[..., Any], name: str) -> Kind:
    if name == "__get__":
        if function in PROPERTIES:
            return Kind.OP
        return Kind.GRAD if function == GRAD else Kind.QUERY
    if name in QUERIES:
        return Kind.QUERY
    if name in EVENTS:
        return Kind.EVENT
    if function in DIFFERENTIATING:
        return Kind.BACKWARD
    return Kind.HOOK if function is Tensor.register_hook else Kind.OP


def written(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Tensor | None:
    """The tensor that an op works on in place, None for one that does not."""
    known = called(function)
    in_place = known.in_place
    if known.inplace is not None:
        in_place = argument(known.inplace, "inplace", args, kwargs, False)
    target = args[0] if args and in_place else None
    return target if isinstance(target, Tensor) else None


def _in_place(name: str) -> bool:
    if name[:3] == "__i":
        return name not in ("__invert__", "__index__")
    return name == "__setitem__" or (name[-1:] == "_" and name[-2:] != "__")


def _inplace(function: Callable[..., Any]) -> int | None:
    if not isinstance(function, types.FunctionType):
        return None
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    return names.index("inplace") if "inplace" in names else None


def base_of(target: Tensor) -> Tensor | None:
    """The base of a view that is about to be written to, where autograd may follow the write."""
    if torch.is_grad_enabled() and target._is_view():
        return target._base
    return None


def ambient(random: bool, args: tuple[Any, ...]) -> Ambient:
    """What a call depends on besides its arguments: autocast, and the numbers it draws."""
    devices = [device for device in ("cpu", "cuda") if torch.is_autocast_enabled(device)]
    autocast = {device: torch.get_autocast_dtype(device) for device in devices}
    rng = {}
    if random:
        rng["cpu"] = torch.get_rng_state()
        device = next((tensor.device for tensor in tensors(args)), None)
        if device is not None and device.type == "cuda":
            rng["cuda"] = torch.cuda.get_rng_state(device)
    return Ambient(autocast, rng)


def settled(
    args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """The arguments of ``rms_norm``, with the eps that torch takes from the dtype if left out.

    Computed again in another dtype, the op is still the same.
    """
    if argument(3, "eps", args, kwargs) is None:
        return args[:3], {
            **kwargs,
            "eps": torch.finfo(argument(0, "input", args, kwargs).dtype).eps,
        }
    return args, kwargs


def argument(
    position: int, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], default: Any = None
) -> Any:
    """An argument that may be given by place or by name."""
    return args[position] if len(args) > position else kwargs.get(name, default)


_SEEDS = {
    Tensor.backward: (1, "gradient"),
    torch.autograd.backward: (1, "grad_tensors"),
    torch.autograd.grad: (2, "grad_outputs"),
}
_CREATE_GRAPH = {Tensor.backward: 3, torch.autograd.backward: 3, torch.autograd.grad: 4}


def seeds(
    func: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    roots: tuple[Tensor, ...],
) -> tuple[Tensor | None, ...]:
    """The cotangents that the caller gives a backward to start with, None for ones."""
    given = argument(*_SEEDS[func], args, kwargs)
    listed = given if isinstance(given, (tuple, list)) else [given] * len(roots)
    # Torch itself says what is amiss where there are too few.
    return tuple(seed for _, seed in zip(roots, listed, strict=False))


def batched(func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Whether many backward passes run as one, under vmap: its tensors have no memory."""
    asked = func is torch.autograd.grad and argument(6, "is_grads_batched", args, kwargs)
    return bool(asked)


def creates_graph(
    func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> bool:
    """Whether a backward is asked to be differentiable itself."""
    return bool(argument(_CREATE_GRAPH[func], "create_graph", args, kwargs))
