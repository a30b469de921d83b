"""One op under its rule: forward, and its cotangents pulled back."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from .binding import Arguments, aligned, conjugate, failure_of, two_of, unwanted
from .fallback import torch_vjp, vjp_as_it_can
from .lean import lean
from .lines import Line
from .rules import registry
from .rules.registry import Rule
from .tape import Backward, Op, map_tensors, tensors

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


def call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[list[Line], Any]:
    """Run a rule without looking at its lines; `lines.trace` is the other way."""
    return [], function(*args, **kwargs)


def same(tensor: Tensor, /, *, exact: bool = False) -> Tensor:
    """The `Convert` that changes nothing."""
    return tensor


def isolate(
    backward: Backward,
    op: Op,
    *,
    convert: Convert = same,
    ready: Visit | None = None,
    wanted: Collection[int] | None = None,
) -> Visit:
    """One op's rule on the recorded inputs, fed with autograd's own incoming cotangents.

    A `ready` visit, whose forward ran on these very inputs, saves running it again. Cotangents
    are derived of all the op's inputs, or of those that are `wanted`.
    """
    wanted = op.inputs if wanted is None else wanted
    with torch.no_grad():
        visit = replace(ready) if ready is not None else lean_visit(backward, op, convert, wanted)
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


def lean_visit(backward: Backward, op: Op, convert: Convert, wanted: Collection[int]) -> Visit:
    """An op of which the cotangents of some inputs alone are wanted, and so much of its rule."""
    rule = registry.find(op.function)
    # Several outputs stand in for cotangents that may be missing.
    several = len(op.outputs) > 1
    outputs = tuple(map(convert, op.outputs)) if several else op.outputs
    visit = Visit(op, rule, _recorded(backward, op, convert), outputs=outputs)
    if rule is not None:
        args, kwargs = visit.arguments
        try:
            with ambient(op):
                sliced = lean(rule.function, unwanted(rule, op, wanted))
                answer = sliced(*args, **rule.keywords(kwargs))
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
