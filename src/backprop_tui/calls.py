"""Questions about one call of a torch function that the recorder sees."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import Any

import torch
from torch import Tensor

from .private import autocasting
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
_NOTHING = Ambient()
_RMS_NORM = frozenset((torch.nn.functional.rms_norm, torch.rms_norm))

DIFFERENTIATING = frozenset((Tensor.backward, torch.autograd.backward, torch.autograd.grad))


class Kind(Enum):
    """What a call is to the recorder."""

    OP = auto()
    QUERY = auto()
    GRAD = auto()
    EVENT = auto()
    HOOK = auto()
    BACKWARD = auto()


@functools.lru_cache(maxsize=4096)
def kind(function: Callable[..., Any]) -> tuple[str, Kind]:
    """What a function is called, and what a call of it is."""
    name = getattr(function, "__name__", str(function))
    if name == "__get__":
        if function in PROPERTIES:
            return PROPERTIES[function], Kind.OP
        return name, Kind.GRAD if function == GRAD else Kind.QUERY
    if name in QUERIES:
        return name, Kind.QUERY
    if name in EVENTS:
        return name, Kind.EVENT
    if function in DIFFERENTIATING:
        return name, Kind.BACKWARD
    return name, Kind.HOOK if function is Tensor.register_hook else Kind.OP


def written(
    function: Callable[..., Any], name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Tensor | None:
    """The tensor that an op works on in place, None for one that does not."""
    in_place, asked = _in_place(function, name)
    if asked is not None:
        in_place = argument(asked, "inplace", args, kwargs, False)
    target = args[0] if args and in_place else None
    return target if isinstance(target, Tensor) else None


@functools.lru_cache(maxsize=4096)
def _in_place(function: Callable[..., Any], name: str) -> tuple[bool, int | None]:
    """Whether a function works in place; where it takes `inplace`, as ``F.relu(x, True)`` does."""
    if name == "__setitem__" or (name[-1:] == "_" and name[-2:] != "__"):
        return True, None
    if name[:3] == "__i" and name not in ("__invert__", "__index__"):
        return True, None
    if not isinstance(function, types.FunctionType):
        return False, None
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    return False, names.index("inplace") if "inplace" in names else None


def base_of(target: Tensor) -> Tensor | None:
    """The base of a view that is about to be written to, where autograd may follow the write."""
    if torch.is_grad_enabled() and target._is_view():
        return target._base
    return None


def ambient(name: str, args: tuple[Any, ...]) -> Ambient:
    """What the call depends on besides its arguments: autocast, and the numbers it draws."""
    if name not in _RANDOM and not autocasting():
        return _NOTHING
    devices = [device for device in ("cpu", "cuda") if torch.is_autocast_enabled(device)]
    autocast = {device: torch.get_autocast_dtype(device) for device in devices}
    rng = {}
    if name in _RANDOM:
        rng["cpu"] = torch.get_rng_state()
        device = next((tensor.device for tensor in tensors(args)), None)
        if device is not None and device.type == "cuda":
            rng["cuda"] = torch.cuda.get_rng_state(device)
    return Ambient(autocast, rng)


def settled(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """The arguments, with what torch takes from the dtype where it is left out.

    Computed again in another dtype, the op is still the same.
    """
    if function in _RMS_NORM and argument(3, "eps", args, kwargs) is None:
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


def creates_graph(
    func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> bool:
    """Whether a backward is asked to be differentiable itself."""
    return bool(argument(_CREATE_GRAPH[func], "create_graph", args, kwargs))
