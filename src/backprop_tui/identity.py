"""Which value of the tape a tensor is."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from .modules import Modules
from .private import sequence_number, snapshot, snapshot_unseen, unchanged
from .tape import Value

Edge = tuple[Any, int]  # a node of autograd's graph, and the number of its output
Key = tuple[Any, int]  # an edge; else an id, beside None for a leaf or False for no gradient


def key_of(tensor: Tensor) -> Key:
    """What a tensor is known by."""
    if not tensor.requires_grad:
        return False, id(tensor)
    try:
        node = tensor.grad_fn
    except RuntimeError:  # as in `node_of`
        node = None
    return (None, id(tensor)) if node is None else (node, tensor.output_nr)


class Identities:
    """The values of a tape by identity, while it is recorded.

    A differentiable tensor is known by its gradient edge, so that a write in place makes it
    another value by itself; a leaf and any other tensor by its Python object. Of a `whole`
    recording every leaf that gets a gradient is a value, also one that no op has read.
    """

    def __init__(self, names: Modules, whole: bool) -> None:
        self._whole = whole
        self.values: list[Value] = []
        self._names = names
        self._known: dict[Key, int] = {}
        self._edges: dict[int, Edge] = {}  # value -> its gradient edge
        self._outputs: dict[Any, dict[int, int]] = {}  # node -> its outputs' numbers -> values
        self._kept: dict[int, Tensor] = {}  # leaves, alive so that an id stays theirs
        self._versions: dict[int, int] = {}  # id of a view -> its version when its node was asked
        self._outside: dict[Key, weakref.ref[Tensor]] = {}  # what needs no gradient
        self.hidden: dict[int, int] = {}  # a base inside of an op -> the output that views it

    def stale(self, tensor: Tensor) -> bool:
        """Whether it is a view whose base was written to since it was last seen.

        To ask for its node makes autograd look at the base again, earlier than the program does.
        """
        if not tensor.requires_grad or not tensor._is_view():
            return False
        return self._versions.get(id(tensor), tensor._version) != tensor._version

    def outside(self, tensor: Tensor) -> int:
        """A new value for a tensor of which only the content counts."""
        index = len(self.values)
        self.values.append(Value(index, "", snapshot(tensor), requires_grad=False, leaf=True))
        return index

    def release(self, tensor: Tensor) -> None:
        """Know the tensor no longer: what it is from now on is another value."""
        index = self._known.pop(key_of(tensor), None)
        edge = edge_of(tensor)
        if index is not None and edge is not None:
            self._leads(index, edge)

    def add(self, tensor: Tensor, key: Key, leaf: bool) -> int:
        """A new value for `tensor`, by which it is known from now on."""
        node = key[0]
        index = self._append(tensor, leaf, node)
        if node is False:
            if key not in self._known:
                self._outside[key] = weakref.ref(tensor, lambda _: self._gone(key))
        else:
            if tensor._is_view():
                self._versions[id(tensor)] = tensor._version
            if node is None:
                self._kept[index] = tensor
            else:
                self._leads(index, key)
        self._known[key] = index
        return index

    def _leads(self, index: int, edge: Edge) -> None:
        """A value has a gradient edge."""
        self._edges[index] = edge
        self._outputs.setdefault(edge[0], {})[edge[1]] = index
        self._known[edge] = index

    def viewing(self, view: Tensor, base: Tensor) -> int | None:
        """Of the values that `view` is a view of, the one nearest to `base`; None without one."""
        node, number, found = view.grad_fn, view.output_nr, None
        while node is not None and node != base.grad_fn:
            found = self._known.get((node, number), found)
            node, number = node.next_functions[0] if node.next_functions else (None, 0)
        return found

    def virtual(self, tensor: Tensor) -> int:
        """A new value that has `tensor`'s content, but by which nothing is known."""
        return self._append(tensor, False, None)

    def _append(self, tensor: Tensor, leaf: bool, node: Any) -> int:
        index, kept = len(self.values), snapshot_unseen(tensor)
        name, variable, sequence = self._names.name(tensor), "", -1
        if leaf and node is not False:
            if node is not None:
                sequence = sequence_number(node)
            elif not name:
                variable = self._names.variable(tensor)
        self.values.append(Value(index, name, kept, tensor.requires_grad, leaf, variable, sequence))
        return index

    def content(self, index: int, tensor: Tensor) -> Tensor:
        """A snapshot of `tensor`, which is the value `index`: the value's own while it holds."""
        kept = self.values[index].tensor
        return kept if unchanged(tensor, kept) else snapshot_unseen(tensor)

    def edge(self, index: int) -> Edge | None:
        """The gradient edge of a value, None where autograd has none."""
        return self._edges.get(index)

    def at(self, key: Key) -> int | None:
        """The value that is known by a key, None where the tape has none."""
        return self._known.get(key)

    def met(self, nodes: Iterable[Any]) -> dict[Any, Mapping[int, int]]:
        """The values that leave nodes of autograd's graph, by node and number of the output.

        From here on leaves are known by the nodes that gather their gradients, as well.
        """
        found: dict[Any, Mapping[int, int]] = {}
        for node in nodes:
            if node not in self._outputs and gathers(node):
                leaf = (None, id(node.variable))
                index = self._known.get(leaf)
                if index is None and self._whole:
                    index = self.add(node.variable, leaf, leaf=True)
                if index is not None:
                    self._leads(index, (node, 0))
            if (values := self._outputs.get(node)) is not None:
                found[node] = values
        return found

    def named(self) -> tuple[Value, ...]:
        """The values, with the names of leaves that have come to be known since."""
        values = list(self.values)
        held = [each for each in list(self._outside.items()) if each[0] in self._known]
        outside = [(self._known[key], ref()) for key, ref in held]
        for index, tensor in (*self._kept.items(), *outside):
            name = "" if tensor is None else self._names.name(tensor)
            if name and values[index].leaf and not values[index].name:
                values[index] = replace(values[index], name=name)
        return tuple(values)

    def leaves(self) -> list[Tensor]:
        """The leaves that require grad."""
        return [tensor for tensor in self._kept.values() if tensor.requires_grad]

    def gradients(self) -> dict[int, Tensor]:
        """The `.grad` of every leaf that has one now."""
        return {
            index: snapshot(tensor.grad)
            for index, tensor in self._kept.items()
            if tensor.grad is not None
        }

    def hooked(self) -> Iterator[int]:
        """The leaves that have a hook on their gradient."""
        return (index for index, tensor in self._kept.items() if tensor._backward_hooks)

    def forget(self) -> None:
        """Let go of every node and tensor of the user's."""
        self._known.clear()
        self._edges.clear()
        while self._outputs:  # the last first: let go all at once, a long chain overflows the stack
            self._outputs.popitem()
        self._kept.clear()
        self._versions.clear()
        self._outside.clear()

    def _gone(self, key: Key) -> None:
        """The tensor is no more, and another may get its id."""
        self._known.pop(key, None)
        self._outside.pop(key, None)


def node_of(tensor: Tensor) -> Any:
    """The node that made a tensor, None for a leaf.

    None also for a view that was taken under no_grad and written to since: to ask would raise.
    """
    try:
        return tensor.grad_fn
    except RuntimeError:
        return None


def node_name(made: Iterable[Tensor]) -> str:
    """The name of the first node that made one of the tensors, "" where none has one."""
    for tensor in made:
        node = key_of(tensor)[0]
        if node is not None and node is not False:
            name: str = node.name()
            return name
    return ""


def gathers(node: Any) -> bool:
    """Whether a node of autograd's graph accumulates the gradient of a leaf, its `variable`."""
    name: str = node.name()
    return name == "torch::autograd::AccumulateGrad"


def edge_of(tensor: Tensor) -> Edge | None:
    """The gradient edge of a tensor, None where it requires no grad.

    None also for a view of a parameter that was taken under no_grad, which has no node.
    """
    if not tensor.requires_grad:
        return None
    node = node_of(tensor)
    return _gathering(tensor) if node is None else (node, tensor.output_nr)


def _gathering(leaf: Tensor) -> Edge | None:
    """The node that accumulates the gradient of a leaf, None for one of inference mode."""
    if leaf.is_inference():
        return None
    if torch.is_inference_mode_enabled():
        with torch.inference_mode(False):
            return _gathering(leaf)
    if leaf.layout != torch.strided:  # which may have no views
        with torch.enable_grad():
            return leaf.clone().grad_fn.next_functions[0]  # type: ignore[union-attr]
    if torch.is_grad_enabled():
        made = leaf.view_as(leaf).grad_fn
        assert made is not None
        return made.next_functions[0]
    if leaf._is_view():
        return None
    edge = torch.autograd.graph.get_gradient_edge(leaf)
    return edge.node, edge.output_nr
