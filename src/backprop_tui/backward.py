"""Tape + rules -> every cotangent, by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from .binding import Arguments, aligned, conjugate, failure_of, two_of
from .fallback import torch_vjp, vjp_as_it_can
from .lean import lean
from .lines import Line
from .rules import registry
from .rules.registry import Rule
from .tape import Backward, Op, Tape, map_tensors, tensors

Run = Callable[..., tuple[list[Line], Any]]


class Convert(Protocol):
    """Another form of a recorded tensor: of another dtype, or slightly moved.

    `exact` is what carries no gradient, such as a target or a mask: it is what it is for
    autograd and for us, and no rounding error is in it.
    """

    def __call__(self, tensor: Tensor, /, *, exact: bool = False) -> Tensor: ...


@dataclass(eq=False)
class Visit:
    """One op under its rule.

    `outputs` are the manual outputs, `incoming` the cotangents of them that the rule was
    given, and `outgoing` the ones it gave back, one for each of the op's input tensors.
    An op without a rule, or whose rule failed, is `backward`ed by torch's own derivative of it.
    """

    op: Op
    rule: Rule | None
    arguments: Arguments
    backward: Callable[..., Any] | None = None
    outputs: tuple[Tensor, ...] = ()
    incoming: tuple[Tensor, ...] = ()
    outgoing: tuple[Tensor | None, ...] = ()
    forward_lines: list[Line] = field(default_factory=list)
    backward_lines: list[Line] = field(default_factory=list)
    failure: str = ""

    def fail(self, error: Exception) -> None:
        """Go on without the rule, which raised or answered what no rule may."""
        assert self.rule is not None
        self.failure = failure_of(self.rule, error)
        self.rule = self.backward = None
        self.outputs = self.op.outputs
        self.forward_lines, self.backward_lines = [], []


@dataclass(eq=False)
class Derivation:
    """A whole step by hand: value index -> tensor, forward and backward.

    `unruled` holds the values whose cotangents went through an op without a rule.
    """

    values: dict[int, Tensor]
    cotangents: dict[int, Tensor]
    visits: list[Visit]
    unruled: set[int] = field(default_factory=set)


def call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[list[Line], Any]:
    """Run a rule without looking at its lines; `lines.trace` is the other way."""
    return [], function(*args, **kwargs)


def same(tensor: Tensor, /, *, exact: bool = False) -> Tensor:
    """The `Convert` that changes nothing."""
    return tensor


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
        visit = visit or _lean_visit(self._backward, op, self._convert)
        # A witness that came from torch itself would speak for torch.
        stand_in = self._convert is same
        _carry(self._tape, self.derivation, visit, call, self._rounding, stand_in=stand_in)
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
        for value in backward.replaced:
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
                _carry(tape, derivation, visit, run)
        _take_over(derivation, backward, backward.replaced, same)
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


def isolate(
    backward: Backward, op: Op, *, convert: Convert = same, ready: Visit | None = None
) -> Visit:
    """One op's rule on the recorded inputs, fed with autograd's own incoming cotangents.

    A `ready` visit, whose forward ran on these very inputs, saves running it again.
    """
    with torch.no_grad():
        visit = replace(ready) if ready is not None else _lean_visit(backward, op, convert)
        incoming = incoming_of(backward, op, convert)
        if visit.rule is not None and incoming:
            pull_back(visit, incoming, stand_in=False)
        return visit


def differentiate(
    backward: Backward, op: Op, *, convert: Convert = same
) -> tuple[Tensor | None, ...]:
    """The same by torch's own derivative of the op, whether or not it has a rule.

    Raises:
        RuntimeError, TypeError: if the op cannot be run on what `convert` made.
    """
    known = incoming_of(backward, op, convert)
    pairs = zip(op.results, op.outputs, strict=True)
    seeds = [known[v] if v in known else torch.zeros_like(convert(out)) for v, out in pairs]
    needed = [carries(backward, op, value) for value in op.inputs]
    with ambient(op):
        return tuple(torch_vjp(op, _recorded(backward, op, convert), seeds, needed))


def incoming_of(backward: Backward, op: Op, convert: Convert = same) -> dict[int, Tensor]:
    """Autograd's own cotangents of an op's results."""
    found = {value: backward.cotangents.get(value) for value in op.results}
    return {value: convert(grad) for value, grad in found.items() if grad is not None}


def visit_of(op: Op, arguments: Arguments, run: Run = call) -> Visit:
    """The rule's forward. An op without a rule keeps what torch computed."""
    rule = registry.find(op.function)
    visit = Visit(op, rule, arguments, outputs=op.outputs)
    if rule is not None:
        args, kwargs = arguments
        try:
            with ambient(op):
                visit.forward_lines, answer = run(rule.function, *args, **rule.keywords(kwargs))
            output, visit.backward = two_of(answer)
            visit.outputs = tuple(tensors(output))
        except Exception as error:
            visit.fail(error)
    return visit


def _lean_visit(backward: Backward, op: Op, convert: Convert) -> Visit:
    """An op of which the backward alone is wanted: its rule's forward as far as that reads it."""
    rule = registry.find(op.function)
    # Several outputs stand in for cotangents that may be missing.
    several = len(op.outputs) > 1
    outputs = tuple(map(convert, op.outputs)) if several else op.outputs
    visit = Visit(op, rule, _recorded(backward, op, convert), outputs=outputs)
    if rule is not None:
        args, kwargs = visit.arguments
        try:
            with ambient(op):
                answer = lean(rule.function)(*args, **rule.keywords(kwargs))
            _, visit.backward = two_of(answer)
        except Exception as error:
            visit.fail(error)
    return visit


def pull_back(
    visit: Visit, known: Mapping[int, Tensor], run: Run = call, *, stand_in: bool = True
) -> None:
    """Run the backward on the cotangents in `known`, and lay its answer along the op's inputs.

    Torch's own derivative stands in where the op has no rule, and where its rule fails and it
    may `stand_in`.

    A result that nothing was derived from has the cotangent 0, and so has an input that was
    handed back as it was: it keeps its own. An answer takes on the dtype of the input that it
    belongs to, as autograd's does. Autograd's complex gradients are conjugated (so that
    x − lr·grad descends); a rule's are plain ∂L/∂z.
    """
    visit.incoming = tuple(
        known[value]
        if value in known and value not in visit.op.inputs
        else torch.zeros_like(output)
        for value, output in zip(visit.op.results, visit.outputs, strict=True)
    )
    plain = [conjugate(cotangent) for cotangent in visit.incoming]
    with ambient(visit.op):
        if visit.rule is not None and visit.backward is not None:
            try:
                visit.backward_lines, answer = run(visit.backward, *plain)
                visit.outgoing = tuple(aligned(visit.rule, visit.arguments, answer))
                return
            except Exception as error:
                visit.fail(error)
        if visit.failure and not stand_in:
            visit.outgoing = (None,) * len(visit.op.inputs)
        else:
            visit.outgoing = tuple(vjp_as_it_can(visit.op, visit.arguments, visit.incoming))


def _recorded(backward: Backward, op: Op, convert: Convert) -> Arguments:
    args, kwargs = op.args, dict(op.kwargs)
    if convert is not same:
        position = iter(op.inputs)

        def read(tensor: Tensor) -> Tensor:
            return convert(tensor, exact=not carries(backward, op, next(position)))

        args, kwargs = map_tensors(read, (args, kwargs))
    return args, kwargs


def carries(backward: Backward, op: Op, value: int) -> bool:
    """Whether autograd gave an input of the op a cotangent, by this op or by another one."""
    return value in backward.cotangents or (op.index, value) in backward.contributions


def _start(derivation: Derivation, backward: Backward, convert: Convert) -> None:
    for root, seed in zip(backward.roots, backward.seeds, strict=True):
        _accumulate(derivation.cotangents, root, convert(seed))


def _take_over(
    derivation: Derivation, backward: Backward, values: Iterable[int], convert: Convert
) -> None:
    """Where a user's hook replaced a gradient, go on from what it gave: no rule knows why."""
    for value in values:
        if value in backward.replaced and value in backward.cotangents:
            derivation.cotangents[value] = convert(backward.cotangents[value])
            derivation.unruled.add(value)


def _reached(op: Op, cotangents: Mapping[int, Tensor]) -> bool:
    """Whether a cotangent reaches the op. One that hands its input back as it was has none."""
    return any(value in cotangents and value not in op.inputs for value in op.results)


def _carry(
    tape: Tape,
    derivation: Derivation,
    visit: Visit,
    run: Run,
    rounding: Convert = same,
    *,
    stand_in: bool = True,
) -> None:
    """One op's backward, and its answers added to the cotangents of its inputs."""
    op = visit.op
    pull_back(visit, derivation.cotangents, run, stand_in=stand_in)
    unruled = visit.backward is None or not derivation.unruled.isdisjoint(op.results)
    for value, cotangent in zip(op.inputs, visit.outgoing, strict=True):
        if cotangent is not None and tape.values[value].requires_grad:
            _accumulate(derivation.cotangents, value, rounding(cotangent))
            if unruled:
                derivation.unruled.add(value)


def _accumulate(cotangents: dict[int, Tensor], value: int, cotangent: Tensor) -> None:
    before = cotangents.get(value)
    cotangents[value] = cotangent if before is None else before + cotangent


def ambient(op: Op) -> AbstractContextManager[None]:
    """What the op depended on besides its arguments: autocast, and the numbers it drew."""
    if not op.ambient.autocast and not op.ambient.rng:
        return nullcontext()
    return _restored(op)


@contextmanager
def _restored(op: Op) -> Iterator[None]:
    with ExitStack() as exits:
        for device, dtype in op.ambient.autocast.items():
            exits.enter_context(torch.autocast(device, dtype=dtype))
        if op.ambient.rng:
            cuda = [op.outputs[0].device] if "cuda" in op.ambient.rng else []
            exits.enter_context(torch.random.fork_rng(devices=cuda))
            torch.set_rng_state(op.ambient.rng["cpu"])
            if cuda:
                torch.cuda.set_rng_state(op.ambient.rng["cuda"], cuda[0])
        yield
