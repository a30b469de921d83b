"""Tape + rules -> every cotangent, by hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from .tape import Backward, Op, Tape, map_tensors, tensors
from .visit import Convert, Run, Visit, call, carries, lean_visit, pull_back, same, visit_of


@dataclass(eq=False)
class Derivation:
    """A whole step by hand: value index -> tensor, forward and backward.

    `unruled` holds the values whose cotangents went through an op without a rule.
    """

    values: dict[int, Tensor]
    cotangents: dict[int, Tensor]
    visits: list[Visit]
    unruled: set[int] = field(default_factory=set)


class Chain:
    """The chained derivation: cotangents carried by our rules from the loss to the leaves.

    Of each rule's forward, what its backward needs runs on the recorded inputs when that is
    due, and is dropped after: no second set of activations is ever held. With `given`,
    which replaces the values of leaves, the forward pass is chained as well.

    Args:
        convert: applied to every recorded tensor, to another dtype or slightly moved.
        rounding: applied to every cotangent that an op gives.
    """

    def __init__(
        self,
        tape: Tape,
        backward: Backward,
        *,
        convert: Convert = same,
        rounding: Convert = same,
        given: Mapping[int, Tensor] | None = None,
    ) -> None:
        self._tape, self._backward = tape, backward
        self._convert, self._rounding = convert, rounding
        visits = forward(tape, backward, convert=convert, given=given) if given else []
        self._ready = {visit.op.index: visit for visit in visits}
        self.derivation = Derivation({}, {}, [])
        _start(self.derivation, backward, convert)

    def step(self, op: Op) -> Visit | None:
        """Carry the op's cotangents to its inputs; None where no cotangent reaches it."""
        _take_over(self.derivation, self._backward, op.results, self._convert)
        if not _reached(op, self.derivation.cotangents):
            return None
        visit = self._ready.pop(op.index, None)
        if visit is None:
            wanted = [value for value in op.inputs if self._tape.values[value].requires_grad]
            visit = lean_visit(self._backward, op, self._convert, wanted)
        # A witness that came from torch itself would speak for torch.
        stand_in = self._convert is same
        pull_back(visit, self.derivation.cotangents, stand_in=stand_in)
        _carry(self._tape, self._backward, self.derivation, visit, self._convert, self._rounding)
        return visit

    def complete(self, value: int) -> Tensor | None:
        """The cotangent of a value whose readers have all been stepped through."""
        _take_over(self.derivation, self._backward, (value,), self._convert)
        return self.derivation.cotangents.get(value)

    def forget(self, values: Iterable[int]) -> None:
        """Let go of cotangents that nothing reads any more."""
        for value in values:
            self.derivation.cotangents.pop(value, None)


def derive(
    tape: Tape,
    backward: Backward,
    *,
    convert: Convert = same,
    rounding: Convert = same,
    given: Mapping[int, Tensor] | None = None,
) -> Derivation:
    """A `Chain` from end to end, with all its cotangents kept."""
    with torch.no_grad():
        chain = Chain(tape, backward, convert=convert, rounding=rounding, given=given)
        for op in reversed(tape.ops[: backward.after]):
            chain.step(op)
        for value in backward.replaced | backward.entered:
            chain.complete(value)
        return chain.derivation


def derive_by_lines(
    tape: Tape, backward: Backward, run: Run, given: Mapping[int, Tensor] | None = None
) -> Derivation:
    """The same, forward and backward, with every visit and the lines that `run` saw kept."""
    with torch.no_grad():
        visits = forward(tape, backward, run=run, given=given)
        derivation = Derivation({}, {}, visits)
        for visit in visits:
            flat = tensors(visit.arguments)
            derivation.values.update(zip(visit.op.inputs, flat, strict=True))
            derivation.values.update(zip(visit.op.results, visit.outputs, strict=True))
        _start(derivation, backward, same)
        for visit in reversed(visits):
            _take_over(derivation, backward, visit.op.results, same)
            if _reached(visit.op, derivation.cotangents):
                pull_back(visit, derivation.cotangents, run)
                _carry(tape, backward, derivation, visit)
        _take_over(derivation, backward, backward.replaced | backward.entered, same)
        return derivation


def forward(
    tape: Tape,
    backward: Backward,
    *,
    run: Run = call,
    convert: Convert = same,
    given: Mapping[int, Tensor] | None = None,
) -> list[Visit]:
    """The forward pass by hand, each rule reading what the rules before it made."""
    values: dict[int, Tensor] = {index: convert(tensor) for index, tensor in (given or {}).items()}
    visits = []
    for op in tape.ops[: backward.after]:
        position = iter(op.inputs)

        def read(tensor: Tensor, op: Op = op, position: Iterator[int] = position) -> Tensor:
            index = next(position)
            if index in values:
                return values[index]
            return convert(tensor, exact=not carries(backward, op, index))

        visit = visit_of(op, map_tensors(read, (op.args, op.kwargs)), run)
        values.update(zip(op.results, visit.outputs, strict=True))
        visits.append(visit)
    return visits


def _start(derivation: Derivation, backward: Backward, convert: Convert) -> None:
    for root, seed in zip(backward.roots, backward.seeds, strict=True):
        _accumulate(derivation.cotangents, root, convert(seed))


def _take_over(
    derivation: Derivation, backward: Backward, values: Iterable[int], convert: Convert
) -> None:
    """Go on from autograd's gradient where no rule knows why it is what it is.

    A hook of the user's replaced it, or some of it came from what the recorder did not see.
    """
    for value in values:
        given = value in backward.replaced or value in backward.entered
        if given and value in backward.cotangents:
            derivation.cotangents[value] = convert(backward.cotangents[value])
            derivation.unruled.add(value)


def _reached(op: Op, cotangents: Mapping[int, Tensor]) -> bool:
    """Whether a cotangent reaches the op. One that hands its input back as it was has none."""
    return any(value in cotangents and value not in op.inputs for value in op.results)


def _carry(
    tape: Tape,
    backward: Backward,
    derivation: Derivation,
    visit: Visit,
    convert: Convert = same,
    rounding: Convert = same,
) -> None:
    """The answers of one op's backward, added to the cotangents of its inputs."""
    op = visit.op
    if not visit.outgoing:
        visit.outgoing = tuple(_as_recorded(backward, op, convert))
    unruled = visit.backward is None or not derivation.unruled.isdisjoint(op.results)
    for value, cotangent in zip(op.inputs, visit.outgoing, strict=True):
        if cotangent is not None and tape.values[value].requires_grad:
            _accumulate(derivation.cotangents, value, rounding(cotangent))
            if unruled:
                derivation.unruled.add(value)


def _as_recorded(backward: Backward, op: Op, convert: Convert) -> Iterator[Tensor | None]:
    """What autograd had of an op that cannot be run a second time, for each of its inputs."""
    for position, value in enumerate(op.inputs):
        given = backward.contributions.get((op.index, value))
        if given is None and value not in backward.shared:
            given = backward.cotangents.get(value)
        again = value in op.inputs[:position]
        yield None if given is None or again else convert(given)


def _accumulate(cotangents: dict[int, Tensor], value: int, cotangent: Tensor) -> None:
    before = cotangents.get(value)
    cotangents[value] = cotangent if before is None else before + cotangent
