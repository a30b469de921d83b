"""One op taken out of its tape, to be walked through by itself."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from .tape import Backward, Op, Tape


def alone(tape: Tape, backward: Backward | None, op: Op) -> Tape:
    """One op as a tape of its own, differentiated from autograd's own cotangents of its results.

    Where autograd had none, nothing is differentiated.
    """
    known = backward.cotangents if backward is not None else {}
    roots = {value: known[value] for value in op.results if value in known}
    number = {value: i for i, value in enumerate(dict.fromkeys((*op.inputs, *op.results)))}
    values = tuple(
        replace(tape.values[value], index=i, leaf=value not in op.results)
        for value, i in number.items()
    )
    cotangents = roots | (_own(backward, op) if backward is not None else {})
    single = Backward(
        roots=tuple(number[value] for value in roots),
        seeds=tuple(roots.values()),
        cotangents={number[value]: cotangent for value, cotangent in cotangents.items()},
        contributions={},
        shared=frozenset(),
        replaced=frozenset(),
        after=1,
        unseen=(),
    )
    inputs, results = (tuple(number[value] for value in part) for part in (op.inputs, op.results))
    return Tape((replace(op, index=0, inputs=inputs, results=results),), values, (single,))


def _own(backward: Backward, op: Op) -> dict[int, Tensor]:
    """Autograd's cotangents of an op's inputs as that op alone made them."""
    own = {}
    for value in op.inputs:
        share = backward.contributions.get((op.index, value))
        if share is None and value not in backward.shared:
            share = backward.cotangents.get(value)
        if share is not None:
            own[value] = share
    return own
