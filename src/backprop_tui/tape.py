"""The tape: what one recorded training step did, in order."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar, dataclass_transform

from torch import Tensor

Made = TypeVar("Made")


@dataclass_transform(frozen_default=True, eq_default=False)
def _recorded(made: type[Made]) -> type[Made]:
    """Frozen as the type checker has it: what Python does for it would take twice as long.

    They are made by the thousand while the program waits.
    """
    return dataclass(slots=True, eq=False)(made)


@dataclass(frozen=True, slots=True)
class Source:
    """A place in the user's own code, or in an installed package with the user's as `caller`."""

    file: str
    line: int
    function: str
    caller: Source | None = None


@_recorded
class Value:
    """One tensor of the tape, across all the ops that read it.

    Attributes:
        index: its number on the tape.
        name: the path of the parameter or buffer that it is, else "".
        tensor: a snapshot, as it was when the tape first saw it.
        requires_grad: whether autograd followed it.
        leaf: whether it came from outside the tape.
        variable: what the program calls a leaf that requires grad and has no path, "" if unknown.
        sequence: autograd's number of the node that made it, for one that came with a graph from
            before the tape; -1 for all others.
    """

    index: int
    name: str
    tensor: Tensor
    requires_grad: bool
    leaf: bool
    variable: str = ""
    sequence: int = -1

    @property
    def called(self) -> str:
        """Its path, or what the program calls it; "" if neither is known."""
        return self.name or self.variable


@dataclass(frozen=True, slots=True)
class Ambient:
    """What an op depends on besides its arguments, kept to run it again.

    Attributes:
        autocast: the dtype that autocast computed in, by device type; empty when off.
        rng: the generators' states by device type, for ops that draw random numbers.
    """

    autocast: Mapping[str, Any] = field(default_factory=dict)
    rng: Mapping[str, Tensor] = field(default_factory=dict)


class Scope(NamedTuple):
    """One call of a composite: a Python function of torch that consists of other ops."""

    name: str
    call: int  # tells two calls of one function apart


@_recorded
class Op:
    """One call of a public torch function.

    `args` and `kwargs` hold snapshots of the tensors as the call read them, and
    `outputs` those it returned (or wrote, when it works in place). `inputs` and `results`
    are the indices of the same tensors in `Tape.values`, in the order of
    `tensors((args, kwargs))`. `node` is the name of the node that autograd made for it, the
    last of its `nodes` ("AddmmBackward0"), "" for none; they are numbered from `sequence` on,
    up to that of the next op. `scope` holds the composites that it ran inside, from the
    outermost in. An `implicit` op was not called by the program: a view looked at again
    after its base was written to, or the write itself as the base sees it.
    """

    index: int
    name: str
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    inputs: tuple[int, ...]
    outputs: tuple[Tensor, ...]
    results: tuple[int, ...]
    node: str
    sequence: int
    nodes: int
    module: str
    module_type: str
    source: Source | None
    grad_mode: bool
    ambient: Ambient
    scope: tuple[Scope, ...] = ()
    implicit: bool = False


@_recorded
class Backward:
    """One backward pass: where it began, and what autograd answered.

    Attributes:
        roots: values that were differentiated, and `seeds` their cotangents.
        cotangents: value index -> dL/dvalue as autograd had it in this pass.
        contributions: (op index, value index) -> what that op alone gave to dL/dvalue,
            kept where several ops read the value.
        shared: the values that several ops read, or whose gradient a hook may replace.
        replaced: the values whose gradient a user's hook replaced.
        after: how many ops the tape held when it began.
        leftover: the leaves' `.grad` as it was before, where there was one.
        creates_graph: whether the pass itself can be differentiated.
        source: where the program called it.
        unseen: nodes of autograd's graph that no op on the tape made.
        entered: the values that a gradient came to straight from such a node.
    """

    roots: tuple[int, ...]
    seeds: tuple[Tensor, ...]
    cotangents: Mapping[int, Tensor]
    contributions: Mapping[tuple[int, int], Tensor]
    shared: frozenset[int]
    replaced: frozenset[int]
    after: int
    unseen: tuple[str, ...]
    leftover: Mapping[int, Tensor] = field(default_factory=dict)
    creates_graph: bool = False
    source: Source | None = None
    entered: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class Update:
    """One parameter's change in one `optimizer.step()`.

    `options` are the hyperparameters of its group, `state` the optimizer's state
    for it before the step, and `backwards` counts the backward passes before it.
    """

    optimizer: type
    value: int
    name: str
    before: Tensor
    grad: Tensor
    after: Tensor
    options: Mapping[str, Any]
    state: Mapping[str, Any]
    backwards: int


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """What the program did to tensors that is no op: no gradient flows, but it explains.

    Attributes:
        kind: a way out of the graph ("numpy", "item", "tolist"), an assignment ("grad=",
            "data=", "requires_grad="), or a call ("requires_grad_", "zero_grad", "clip",
            "clip_value", "unscale", "step", "hook", "no_grad", "eval"; "optimizer" makes one;
            "backward" raised, as did an op that was given the tensors of "raised"; "grad" is
            asked for and None).
        values: the tensors, as indices in `Tape.values`; for an optimizer all that it has.
        ops: how many ops the tape held, and `backwards` how many backward passes.
        tensor: what was assigned, if it was a tensor; the norm that a clip has found, `limit`
            the norm or the value that it allows, and `order` the kind of the norm, NaN if unknown.
    """

    kind: str
    values: tuple[int, ...]
    ops: int
    backwards: int
    source: Source | None
    tensor: Tensor | None = None
    limit: float = math.inf
    order: float = math.nan


@dataclass(frozen=True, slots=True)
class Unregistered:
    """A module that another one calls without having it among its own.

    Attributes:
        owner: the class of the caller, and `attribute` what holds the module, "" if unknown.
        source: the assignment of that attribute.
    """

    owner: str
    attribute: str
    source: Source | None


@dataclass(eq=False)
class Tape:
    """The ordered ops of one recording, with the backwards and updates among them.

    The recorder fills it; once the recording has ended it no longer changes. `modules` are
    the paths with their types, `parameters` the paths of all that require grad with their shape,
    `unregistered` the paths of modules that no other has as its own, though one calls them.
    """

    ops: Sequence[Op] = ()
    values: Sequence[Value] = ()
    backwards: Sequence[Backward] = ()
    updates: Sequence[Update] = ()
    events: Sequence[Event] = ()
    modules: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    unregistered: Mapping[str, Unregistered] = field(default_factory=dict)


_ATOMS = frozenset((int, float, bool, str, type(None)))  # most arguments that hold no tensor


def tensors(tree: Any) -> Iterator[Tensor]:
    """Every tensor in nested tuples, lists and dicts, in order."""
    if isinstance(tree, Tensor):
        yield tree
        return
    several = isinstance(tree, (tuple, list))
    for item in tree if several else tree.values() if isinstance(tree, Mapping) else ():
        if isinstance(item, Tensor):
            yield item
        elif type(item) not in _ATOMS:
            yield from tensors(item)


def map_tensors(function: Callable[[Tensor], Any], tree: Any) -> Any:
    """The same nested tuples, lists and dicts with `function` applied to every tensor."""
    if type(tree) in _ATOMS:
        return tree
    if isinstance(tree, Tensor):
        return function(tree)
    if isinstance(tree, tuple):
        items = map_items(function, tree)
        return type(tree)(*items) if hasattr(tree, "_fields") else tuple(items)
    if isinstance(tree, list):
        return map_items(function, tree)
    if isinstance(tree, dict):
        return {key: map_tensors(function, item) for key, item in tree.items()}
    return tree


def map_items(function: Callable[[Tensor], Any], items: Iterable[Any]) -> list[Any]:
    """`map_tensors` of each item."""
    return [
        function(item)
        if isinstance(item, Tensor)
        else item
        if type(item) in _ATOMS
        else map_tensors(function, item)
        for item in items
    ]
