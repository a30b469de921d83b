"""Gradients that a program computes by hand, beside those that autograd gave it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, combinations
from typing import NamedTuple

import torch
from torch import Tensor

from ..finding import Finding, Severity
from ..tape import Op, Tape
from .examined import Examined
from .given import Given, given_at, is_borrowed, near, updates_by_hand
from .words import parameters

_USES = 6
"""Of a parameter with more uses than that, not every subset of them is tried."""


class Claim(NamedTuple):
    """What an op made as the gradient of a parameter."""

    value: int
    op: Op
    mine: Tensor
    given: Given


def missing_path(examined: Examined) -> Iterator[Finding]:
    """A gradient by hand of a weight with several uses.

    What a program computes to assign to `.grad`, or to update a parameter with, is laid beside
    what autograd gave that parameter use by use: it is the sum of some uses, and what another one
    gives is computed nowhere in the step.
    """
    for claim in chain(_assigned(examined), _applied(examined)):
        parts = claim.given.parts
        if 1 < len(parts) <= _USES and (mine := _paths(claim.mine, parts)):
            found = set(mine)
            for op in examined.tape.ops:
                for output in op.outputs:
                    found |= _paths(output, parts)
            if len(found) < len(parts):
                yield _missing(examined.tape, claim, len(mine))


def _paths(mine: Tensor, parts: Sequence[Tensor]) -> set[int]:
    """The uses whose gradients have this sum; none if there are no such ones."""
    for count in range(1, len(parts) + 1 if mine.shape == parts[0].shape else 0):
        for some in combinations(range(len(parts)), count):
            if near(mine, torch.stack([parts[use] for use in some]).sum(0)):
                return set(some)
    return set()


def _missing(tape: Tape, claim: Claim, count: int) -> Finding:
    return Finding.at(
        claim.op,
        "missing-path",
        Severity.ERROR,
        f"the gradient by hand of {parameters(tape, [claim.value])} is that of {count} of its "
        f"{len(claim.given.parts)} uses, not of all",
        "Every use of a weight is a path to the loss, and what comes along the paths adds up.",
        "Add the gradients of the other uses.",
    )


def assigned_factor(examined: Examined) -> Iterator[Finding]:
    """A gradient by hand that is autograd's times a number.

    What a program assigns to `.grad`, without having read autograd's, is proportional to it. A
    warning, since another size may be meant.
    """
    for claim in _assigned(examined):
        mine, total = claim.mine.double().flatten(), claim.given.total.double().flatten()
        factor = float(mine @ total / (total @ total).clamp(min=1e-300))
        if factor and near(mine, factor * total):
            yield Finding.at(
                claim.op,
                "assigned-factor",
                Severity.WARNING,
                f"the gradient by hand of {parameters(examined.tape, [claim.value])}, assigned to "
                f".grad, is {factor:.6g} times autograd's",
                "The 2 of a square or the 1/N of a mean is easily lost by hand.",
                f"Divide it by {factor:.6g}, unless this size is meant.",
            )


def _assigned(examined: Examined) -> Iterator[Claim]:
    """What the program assigns to `.grad` and has computed in this step."""
    for event in examined.tape.events:
        if event.kind == "grad=" and event.tensor is not None:
            given = given_at(examined, event.values[0], event.backwards)
            for op in reversed(examined.tape.ops[: event.ops]):
                if any(torch.equal(output, event.tensor) for output in op.outputs):
                    if given is not None and _differs(examined, op, event.tensor, given):
                        yield Claim(event.values[0], op, event.tensor, given)
                    break


def _applied(examined: Examined) -> Iterator[Claim]:
    """What the program updates a parameter with, and all of that shape on the way to it."""
    for update, given in updates_by_hand(examined):
        for value in sorted(examined.flow.above(update.inputs[1:])):
            op = examined.flow.maker.get(value)
            if op is not None:
                mine = op.outputs[op.results.index(value)]
                if _differs(examined, op, mine, given):
                    yield Claim(update.inputs[0], op, mine, given)


def _differs(examined: Examined, op: Op, mine: Tensor, given: Given) -> bool:
    """Whether what an op made is another gradient than autograd's, and not made from that."""
    comparable = mine.shape == given.total.shape and mine.dtype == given.total.dtype
    return comparable and not near(mine, given.total) and not is_borrowed(examined, op.results)
