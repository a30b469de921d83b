"""Autograd's cotangents where views share memory that is written to, told apart op by op.

Autograd has one node, CopySlices, for an op that writes into a view and for what that makes of
the view's base; it then knows nothing of the views in between. On the tape they are ops of their
own, and each is to be compared with what autograd made of it.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor

from .graph import Graph
from .identity import Identities
from .rules.implicit import Window, look_again, write_through
from .tape import Op

Cotangents = MutableMapping[int, Tensor]
Contributions = MutableMapping[tuple[int, int], Tensor]
Key = TypeVar("Key")


def written_through(op: Op, after: Op | None, identities: Identities) -> bool:
    """Whether `op` writes into a view, and `after` is what that makes of the view's base."""
    return (
        after is not None
        and after.function is write_through
        and after.inputs[1] in op.results
        and after.results[0] not in identities.hidden
    )


def share_out(
    graph: Graph,
    identities: Identities,
    cotangents: Cotangents,
    contributions: Contributions,
    shared: frozenset[int],
) -> None:
    """Share out what autograd had for writes into views among the ops on the tape.

    `contributions` holds, under the implicit op, what CopySlices gave to the base as it was.
    """
    for op in reversed(graph.writes):
        (base, part), (layout, window) = op.inputs, op.args[2:]
        coming = cotangents.get(op.results[0])
        if coming is not None:
            cotangents[part] = look_again(coming, layout, window)
        if op.results[0] in identities.hidden:
            cotangents.pop(op.results[0], None)
        going = contributions.get((op.index, base))
        if going is None:
            continue
        write = graph.ops[op.index - 1]
        inside = look_again(going, layout, window)
        contributions[write.index, write.inputs[0]] = inside
        past = write_through(going, torch.zeros_like(inside), layout, window)
        contributions[op.index, base] = past
        # What went through the window came up to it through every view on the way.
        through = write_through(torch.zeros_like(going), inside, layout, window)
        for view, source in pairwise(_views(write.inputs[0], base, identities)):
            seen, below = (
                look_again(through, layout, window_of(identities.values[value].tensor, op.args[0]))
                for value in (view, source)
            )
            _add(cotangents, view, seen)
            if source in shared:
                _add(contributions, (graph.makers[view].index, source), below)


def _views(view: int, base: int, identities: Identities) -> Iterator[int]:
    """The values from a view down to its base, or to the output that views a hidden base."""
    end, edge = identities.edge(base), identities.edge(view)
    while edge is not None and edge != end:
        value = identities.at(edge)
        if value is not None:
            yield value
        edge = edge[0].next_functions[0]
    if base not in identities.hidden:
        yield base


def window_of(view: Tensor, base: Tensor) -> Window:
    """Where a view lies in the memory of its base."""
    offset = view.storage_offset() - base.storage_offset()
    return tuple(view.size()), tuple(view.stride()), int(offset)


def _add(found: MutableMapping[Key, Tensor], key: Key, more: Tensor) -> None:
    before = found.get(key)
    found[key] = more if before is None else before + more
