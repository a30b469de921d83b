"""Hooks on autograd's graph for the time of one backward pass: what it computes, kept."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeVar

import torch
from torch import Tensor

from .completeness import audit, below
from .graph import Graph
from .identity import Edge, Identities
from .private import graph_task, snapshot_unseen, unseen
from .rules.implicit import write_through
from .tape import Op
from .windows import share_out, written_through


@dataclass
class Captured:
    """What a backward pass fills: see `tape.Backward` for the fields."""

    cotangents: dict[int, Tensor] = field(default_factory=dict)
    contributions: dict[tuple[int, int], Tensor] = field(default_factory=dict)
    shared: frozenset[int] = frozenset()
    unseen: tuple[str, ...] = ()
    entered: frozenset[int] = frozenset()


@contextmanager
def capture(
    graph: Graph,
    identities: Identities,
    roots: Sequence[Tensor],
    hooked: Collection[int] = (),
    seeds: Mapping[int, Tensor] = MappingProxyType({}),
) -> Iterator[Captured]:
    """Keep what a backward pass run inside the block computes.

    A prehook on a value's node sees the value's whole cotangent; where several ops read a
    value, or a hook of the user's (`hooked`) may replace its gradient, a posthook on each op's
    own nodes sees what that op contributes. An output that is
    a stage of another output of the same op (an LSTM cell's memory) has the cotangent that
    came from outside the op. A root may have been read on the way to another root: `seeds`, by
    value, are what the caller gave to each.
    """
    nodes = below(roots)
    by_node = identities.met(nodes)
    ops = graph.made(value for values in by_node.values() for value in values.values())
    stages = set(_stages(ops, identities))
    strange = audit(nodes, by_node, graph)
    several = seeds if len(seeds) > 1 else ()
    shared = frozenset(graph.shared.union(hooked, stages, strange.entered, several))
    names = tuple(node.name() for node in strange.nodes)
    captured = Captured(shared=shared, unseen=names, entered=strange.entered)
    this = _Pass()
    handles = [
        node.register_prehook(_whole(values, captured.cotangents, this))
        for node, values in by_node.items()
    ]
    parts = _shared_inputs(ops, graph, identities, shared)
    handles += [
        node.register_hook(_parts(slots, captured.contributions, this))
        for node, slots in parts.items()
        if node not in strange.mixed
    ]
    try:
        yield captured
    finally:
        for handle in handles:
            handle.remove()
    for value in stages:
        captured.cotangents.pop(value, None)
        if value in seeds:
            captured.cotangents[value] = seeds[value]
    for (_, value), part in captured.contributions.items():
        if value in stages:
            before = captured.cotangents.get(value)
            captured.cotangents[value] = part if before is None else before + part
    share_out(graph, identities, captured.cotangents, captured.contributions, shared)


def dense(grad: Tensor) -> Tensor:
    """A snapshot of a gradient; a sparse one, as an embedding may give, with its zeros."""
    whole = grad.layout is torch.strided or grad.layout is torch.jagged
    return snapshot_unseen(grad) if whole else grad.detach().to_dense()


class _Pass:
    """Tells a backward pass from others that run inside it, as a reentrant checkpoint's does.

    A parameter has one node for all of them. The pass that comes to a hook first is the outermost.
    """

    def __init__(self) -> None:
        self._task: int | None = None

    def others(self) -> bool:
        """Whether what runs now is another one."""
        task = graph_task()
        if self._task is None:
            self._task = task
        return task != self._task


def _whole(
    values: Mapping[int, int], cotangents: dict[int, Tensor], this: _Pass
) -> Callable[[Any], None]:
    def prehook(grads: tuple[Tensor | None, ...]) -> None:
        if this.others():
            return
        with unseen():
            for number, value in values.items():
                if number < len(grads) and (grad := grads[number]) is not None:
                    cotangents[value] = dense(grad)

    return prehook


Slots = list[tuple[int, tuple[int, int]]]  # position among a node's inputs, (op, value)
End = TypeVar("End")


def _parts(
    slots: Slots, contributions: dict[tuple[int, int], Tensor], this: _Pass
) -> Callable[[Any, Any], None]:
    def hook(grad_inputs: tuple[Tensor | None, ...], grad_outputs: Any) -> None:
        if this.others():
            return
        for position, key in slots:
            grad = grad_inputs[position]
            if grad is not None:
                with unseen():
                    before = contributions.get(key)
                    contributions[key] = dense(grad) if before is None else before + grad

    return hook


def _shared_inputs(
    ops: Iterable[Op], graph: Graph, identities: Identities, shared: frozenset[int]
) -> dict[Any, Slots]:
    """Where the ops' own nodes lead into a value that several ops read.

    Autocast casts a weight once for all that read it: a node of several ops tells none apart.
    """
    found: dict[Any, Slots] = defaultdict(list)
    for op in ops:
        if op.function is write_through:
            continue
        after = graph.after(op)
        through = written_through(op, after, identities)
        if not through and shared.isdisjoint(op.inputs):
            continue
        last = after if after is not None and through else op
        ends = {
            edge: (which.index, value)
            for which in {op: op, last: last}
            for value in which.inputs
            if (edge := identities.edge(value))
        }
        made = (value for value in last.results if value not in last.inputs)
        starts = [edge[0] for value in made if (edge := identities.edge(value))]
        for node, position, key in _own_nodes(starts, ends):
            if key[1] in shared or key[0] != op.index:
                found[node].append((position, key))
    for node, slots in found.items():
        times = Counter(position for position, _ in slots)
        found[node] = [slot for slot in slots if times[slot[0]] == 1]
    return found


def _stages(ops: Iterable[Op], identities: Identities) -> Iterator[int]:
    """The outputs that another output of the same op is made from."""
    for op in ops:
        if len(op.results) > 1:
            edges = {value: identities.edge(value) for value in (*op.inputs, *op.results)}
            ends = {edge: value for value, edge in edges.items() if edge}
            starts = [edge[0] for value in op.results if (edge := edges[value])]
            for _, _, value in _own_nodes(starts, ends):
                if value in op.results and value not in op.inputs:
                    yield value


def _own_nodes(starts: list[Any], ends: Mapping[Edge, End]) -> Iterator[tuple[Any, int, End]]:
    """The nodes of one op, walked from its outputs until its inputs."""
    pending = list(dict.fromkeys(starts))
    seen = set(pending)
    while pending:
        node = pending.pop()
        for position, edge in enumerate(node.next_functions):
            if edge in ends:
                yield node, position, ends[edge]
            elif edge[0] is not None and edge[0] not in seen and ends:
                seen.add(edge[0])
                pending.append(edge[0])
