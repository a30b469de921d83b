"""Gradients that a program computes by hand from weights which it has updated already."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..fallback import run_op
from ..finding import Finding, Severity
from ..tape import Op, Source, map_tensors, tensors
from ..visit import ambient
from .examined import Examined, Kept
from .given import Given, given_at, is_borrowed, near, passes_before, updates_by_hand
from .untrained import called
from .words import line_of, listed


class Written(NamedTuple):
    """An update: the weight `before` it and `after`, and autograd's gradient of the former.

    Attributes:
        at: how many ops the tape held when it was done; `passes`, how many passes.
    """

    source: Source | None
    value: int
    name: str
    before: Tensor
    after: Tensor
    given: Given
    at: int
    passes: int


class Drift(NamedTuple):
    """A gradient by hand that is not autograd's, and would be from the weights before."""

    written: Written
    op: Op
    apart: float


class Updates(Kept):
    """The updates since the last backward pass.

    Attributes:
        lines: those that ran before the first update of all, so that they follow none.
    """

    def __init__(self) -> None:
        self.since: list[Written] = []
        self.lines: set[Source | None] = set()
        self.begun = False


def updated_first(examined: Examined) -> Iterator[Finding]:
    """Gradients by hand after the update.

    A program subtracts autograd's gradients from its weights in place, or an optimizer does, and
    what it computes from the weights before the next forward pass is none of those gradients. It
    is computed once more from the weights as they were before: if that gives autograd's gradient,
    it is the update that came too early. A warning: the training itself is right.
    """
    tape, known = examined.tape, examined.memory.of(Updates)
    mine = [*_by_hand(examined), *_stepped(examined)]
    if not known.begun:
        first = min((written.at for written in mine), default=None)
        known.lines |= {op.source for op in tape.ops[:first]}
        known.begun = bool(mine)
    for number in range(len(tape.backwards) + 1):
        here = [written for written in mine if written.passes == number]
        drifts = list(_drifts(examined, number, here))
        if drifts:
            yield _early(drifts)
        ended = number < len(tape.backwards)
        known.since = [] if ended else [*known.since, *here]


def _by_hand(examined: Examined) -> Iterator[Written]:
    """The updates in place that use a gradient of autograd's."""
    tape = examined.tape
    for op, given in updates_by_hand(examined):
        if is_borrowed(examined, op.inputs[1:]):
            name, before = called(tape, op.inputs[0]), next(tensors(op.args))
            passes = passes_before(tape, op)
            content, at = (before, op.outputs[0]), op.index + 1
            yield Written(op.source, op.inputs[0], name, *content, given, at, passes)


def _stepped(examined: Examined) -> Iterator[Written]:
    """Those of optimizers."""
    tape = examined.tape
    steps = {e.backwards: e for e in tape.events if e.kind == "step"}
    for update in tape.updates:
        value, passes = update.value, update.backwards
        given, step = given_at(examined, value, passes), steps.get(passes)
        if given is not None and step is not None:
            content, name = (update.before, update.after), called(tape, value)
            yield Written(step.source, value, name, *content, given, step.ops, passes)


def _early(drifts: Sequence[Drift]) -> Finding:
    most = max(drifts, key=lambda drift: drift.apart)
    names = list(dict.fromkeys(drift.written.name for drift in drifts))
    return Finding(
        "updated-first",
        Severity.WARNING,
        f"the weights are updated before the gradients by hand of {listed(names)} are computed "
        f"from them: these drift by up to {most.apart:.3g} ({line_of(most.op.source)}), and from "
        "the weights before the update they are autograd's",
        "The update works in place: every reference to a parameter reads the new weights, while "
        "the gradient belongs to those that the forward pass has read.",
        "Compute the gradients before the update, or from a copy: param.detach().clone().",
        drifts[0].written.source,
    )


def _drifts(examined: Examined, number: int, here: Sequence[Written]) -> Iterator[Drift]:
    """What is computed after updates, between two passes, and is a gradient only of before."""
    flow, known = examined.flow, examined.memory.of(Updates)
    writes = [*known.since, *here]
    shapes = {written.given.total.shape for written in writes}
    made = [
        (op, value, output)
        for op in _before_forward(examined, number)
        if op.source not in known.lines
        for value, output in zip(op.results, op.outputs, strict=True)
        if output.shape in shapes
    ]
    wanted = flow.above(value for _, value, _ in made)
    again = _replayed(examined, known.since, here, wanted) if made else {}
    for op, value, output in made:
        for written in writes if value in again else ():
            total = written.given.total
            # A gradient that is the weight itself would be proven by any copy of it.
            trivial = near(written.before, total)
            if near(again[value], total) and not near(output, total) and not trivial:
                yield Drift(written, op, float((output - total).abs().max()))


def _before_forward(examined: Examined, number: int) -> Iterator[Op]:
    """The ops between two passes, up to the first that the later one goes through."""
    tape = examined.tape
    roots = tape.backwards[number].roots if number < len(tape.backwards) else ()
    loss = examined.flow.above(roots)
    for op in tape.ops[tape.backwards[number - 1].after if number else 0 :]:
        if not loss.isdisjoint(set(op.results).difference(op.inputs)):
            return
        yield op


def _replayed(
    examined: Examined, since: Sequence[Written], here: Sequence[Written], wanted: set[int]
) -> dict[int, Tensor]:
    """The `wanted` values, as they were if the updates had not been."""
    tape, before = examined.tape, {written.name: written.before for written in since}
    leaves = [value.index for value in tape.values if value.leaf]
    held = {v: before[called(tape, v)] for v in leaves if called(tape, v) in before}
    held |= {v: written.before for written in since for v in _aliases(examined, written)}
    for op in tape.ops:
        done = [written for written in here if written.at == op.index + 1]
        for written in done:
            for value in (written.value, *_aliases(examined, written)):
                held.setdefault(value, written.before)
        if any(written.value in op.results for written in done):
            continue
        if not held.keys().isdisjoint(op.inputs) and not wanted.isdisjoint(op.results):
            position = iter(op.inputs)

            def read(tensor: Tensor, position: Iterator[int] = position) -> Tensor:
                return held.get(next(position), tensor)

            args, kwargs = map_tensors(read, (op.args, dict(op.kwargs)))
            with torch.no_grad(), ambient(op):
                held.update(zip(op.results, run_op(op, args, kwargs), strict=True))
    return held


def _aliases(examined: Examined, written: Written) -> Iterator[int]:
    """The values that are the weight by another name: its `.data`, or what holds its numbers."""
    for op in examined.flow.readers[written.value]:
        if op.name in ("detach", "torch.Tensor.data.__get__"):
            yield from op.results
    for value in examined.tape.values:
        same = value.leaf and value.tensor.shape == written.after.shape
        if same and not value.requires_grad and torch.equal(value.tensor, written.after):
            yield value.index
