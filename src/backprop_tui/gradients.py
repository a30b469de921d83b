"""Hooks on autograd's graph for the time of one backward pass: what it computes, kept."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor

from .identity import Edge, Identities
from .private import snapshot
from .tape import Op

Cotangents = dict[int, Tensor]
Contributions = dict[tuple[int, int], Tensor]


@contextmanager
def capture(
    ops: Sequence[Op], identities: Identities
) -> Iterator[tuple[Cotangents, Contributions]]:
    """Two dictionaries that a backward pass run inside the block fills.

    A prehook on a value's node sees the value's whole cotangent; where several ops read a
    value, a posthook on each op's own nodes sees what that op contributes.
    """
    cotangents: Cotangents = {}
    contributions: Contributions = {}
    by_node: dict[Any, dict[int, int]] = defaultdict(dict)
    for value, (node, number) in identities.edges():
        by_node[node][number] = value
    with ExitStack() as exits:
        for node, numbers in by_node.items():
            exits.callback(node.register_prehook(_whole(numbers, cotangents)).remove)
        for node, slots in _shared_inputs(ops, identities).items():
            exits.callback(node.register_hook(_parts(slots, contributions)).remove)
        yield cotangents, contributions


def _whole(numbers: dict[int, int], cotangents: Cotangents) -> Callable[[Any], None]:
    def prehook(grads: tuple[Tensor | None, ...]) -> None:
        for number, value in numbers.items():
            grad = grads[number] if number < len(grads) else None
            if grad is not None:
                cotangents[value] = snapshot(grad)

    return prehook


Slots = list[tuple[int, tuple[int, int]]]  # position among a node's inputs, (op, value)


def _parts(slots: Slots, contributions: Contributions) -> Callable[[Any, Any], None]:
    def hook(grad_inputs: tuple[Tensor | None, ...], grad_outputs: Any) -> None:
        for position, key in slots:
            grad = grad_inputs[position]
            if grad is not None:
                before = contributions.get(key)
                contributions[key] = snapshot(grad) if before is None else before + grad

    return hook


def _shared_inputs(ops: Sequence[Op], identities: Identities) -> dict[Any, Slots]:
    """Where the ops' own nodes lead into a value that several ops read."""
    readers: Counter[int] = Counter()
    for op in ops:
        readers.update(set(op.inputs))
    found: dict[Any, Slots] = defaultdict(list)
    for op in ops:
        if not any(readers[value] > 1 for value in op.inputs):
            continue
        ends: dict[Edge, int] = {}
        for value in op.inputs:
            edge = identities.edge(value)
            if edge is not None:
                ends[edge] = value
        made = (value for value in op.results if value not in op.inputs)
        starts = [edge[0] for value in made if (edge := identities.edge(value))]
        for node, position, value in _own_nodes(starts, ends):
            if readers[value] > 1:
                found[node].append((position, (op.index, value)))
    return found


def _own_nodes(starts: list[Any], ends: dict[Edge, int]) -> Iterator[tuple[Any, int, int]]:
    """The nodes of one op, walked from its outputs until its inputs."""
    pending, seen = list(starts), set(starts)
    while pending:
        node = pending.pop()
        for position, edge in enumerate(node.next_functions):
            if edge in ends:
                yield node, position, ends[edge]
            elif edge[0] is not None and edge[0] not in seen and ends:
                seen.add(edge[0])
                pending.append(edge[0])
