"""The audit of a backward pass: the part of autograd's graph that no op on the tape made.

It was made before the recording, in another thread, or where no torch function is called: by
TorchScript, by torch.func, by a backward pass with ``create_graph=True``. What came through it
cannot be derived by hand, and nothing that it reached may count as verified.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from .graph import Graph
from .identity import edge_of, gathers
from .private import sequence_number


@dataclass(frozen=True)
class Unseen:
    """What an audit found.

    Attributes:
        nodes: those that no op on the tape made.
        entered: the values that a gradient came to straight from them.
        mixed: nodes of ops on the tape that a gradient came to from them, past the op's outputs.
    """

    nodes: Collection[Any] = ()
    entered: frozenset[int] = frozenset()
    mixed: Collection[Any] = ()


def below(roots: Iterable[Tensor]) -> dict[Any, None]:
    """The nodes of autograd's graph that a backward pass from `roots` may come to, in order."""
    return _reached(edge[0] for root in roots if (edge := edge_of(root)))


def audit(
    nodes: Mapping[Any, None], by_node: Mapping[Any, Mapping[int, int]], graph: Graph
) -> Unseen:
    """Find what of a backward pass's `nodes` the tape has no op for.

    A value's node is an op's if an op made the value; any other node if it was made during a call.
    Autograd counts its nodes in each thread anew: of those below a node that is unseen, one that
    no op leads to is unseen, whatever its number.
    """
    made = {node for node, values in by_node.items() if _made(values, graph)}
    ends = {node for node in by_node if node not in made and gathers(node)}
    strange = {
        node
        for node in nodes
        if node not in made
        and node not in ends
        and (node in by_node or not graph.spans(sequence_number(node)))
    }
    if not strange:
        return Unseen()
    seen = _reached(made, strange.union(by_node))
    unseen = {node for node in nodes if node not in seen and node not in ends}
    entered: set[int] = set()
    mixed: set[Any] = set()
    pending = list(unseen)
    while pending:
        for node, number in pending.pop().next_functions:
            if node is None or node in unseen or node in mixed:
                continue
            value = by_node.get(node, {}).get(number)
            if value is None:
                mixed.add(node)
                pending.append(node)
            else:
                entered.add(value)
    return Unseen(unseen, frozenset(entered), mixed)


def _made(values: Mapping[int, int], graph: Graph) -> bool:
    return any(value in graph.makers for value in values.values())


def _reached(starts: Iterable[Any], barred: Collection[Any] = ()) -> dict[Any, None]:
    """The nodes that edges lead to from some, themselves included, but from none that is barred."""
    found = dict.fromkeys(starts)
    pending = list(found)
    while pending:
        for node, _ in pending.pop().next_functions:
            if node is not None and node not in found and node not in barred:
                found[node] = None
                pending.append(node)
    return found
