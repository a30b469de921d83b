"""Tape + rules -> every value and every cotangent, by hand."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from .lines import Line
from .rules import registry
from .rules.registry import Rule
from .tape import Backward, Op, Tape, map_tensors, tensors

Run = Callable[..., tuple[list[Line], Any]]
Convert = Callable[[Tensor], Tensor]


@dataclass(eq=False)
class Visit:
    """One op under its rule.

    `outputs` are the manual outputs, `incoming` the cotangents of them that the rule was
    given, and `outgoing` the ones it gave back, one for each of the op's input tensors.
    """

    op: Op
    rule: Rule | None
    forward_lines: list[Line] = field(default_factory=list)
    backward_lines: list[Line] = field(default_factory=list)
    backward: Callable[..., Any] | None = None
    outputs: tuple[Tensor, ...] = ()
    incoming: tuple[Tensor, ...] = ()
    outgoing: tuple[Tensor | None, ...] = ()


@dataclass(eq=False)
class Derivation:
    """A whole step by hand: value index -> tensor, forward and backward."""

    values: dict[int, Tensor]
    cotangents: dict[int, Tensor]
    visits: list[Visit]


def call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[list[Line], Any]:
    """Run a rule without looking at its lines; `lines.trace` is the other way."""
    return [], function(*args, **kwargs)


def derive(
    tape: Tape,
    backward: Backward,
    *,
    run: Run = call,
    convert: Convert = lambda tensor: tensor,
    given: Mapping[int, Tensor] | None = None,
) -> Derivation:
    """The chained derivation: from the leaves to the loss and back, by our rules alone.

    Args:
        run: how to call a rule: `call`, or `lines.trace` for its lines.
        convert: applied to every leaf and seed, to another dtype or slightly moved.
        given: values to start from in place of the recorded leaves.
    """
    with torch.no_grad():
        derivation = Derivation(dict(given or {}), {}, [])
        for op in tape.ops[: backward.after]:
            derivation.visits.append(_forward(tape, op, derivation.values, run, convert))
        for root, seed in zip(backward.roots, backward.seeds, strict=True):
            _accumulate(derivation.cotangents, root, convert(seed))
        for visit in reversed(derivation.visits):
            if any(result in derivation.cotangents for result in visit.op.results):
                known = derivation.cotangents
                visit.incoming = _incoming(visit, known)
                pull_back(visit, run)
                for value, cotangent in zip(visit.op.inputs, visit.outgoing, strict=True):
                    if cotangent is not None and tape.values[value].requires_grad:
                        _accumulate(known, value, cotangent)
        return derivation


def isolate(
    tape: Tape, backward: Backward, op: Op, *, convert: Convert = lambda tensor: tensor
) -> Visit:
    """One op's rule on the recorded inputs, fed with autograd's own incoming cotangents."""
    with torch.no_grad():
        visit = _visit(op, map_tensors(convert, (op.args, op.kwargs)), call)
        known = {
            value: convert(cotangent)
            for value in op.results
            if (cotangent := backward.cotangents.get(value)) is not None
        }
        if visit.rule is not None and known:
            visit.incoming = _incoming(visit, known)
            pull_back(visit, call)
        return visit


def pull_back(visit: Visit, run: Run) -> None:
    """Run the rule's backward on `visit.incoming` and lay its answer along the op's inputs."""
    if visit.backward is None:
        visit.outgoing = (None,) * len(visit.op.inputs)
        return
    visit.backward_lines, result = run(visit.backward, *visit.incoming)
    visit.outgoing = tuple(_align(visit, result))


def _forward(
    tape: Tape, op: Op, values: dict[int, Tensor], run: Run, convert: Convert
) -> Visit:
    position = iter(op.inputs)

    def read(tensor: Tensor) -> Tensor:
        value = next(position)
        if value not in values:
            values[value] = convert(tensor)
        return values[value]

    visit = _visit(op, map_tensors(read, (op.args, op.kwargs)), run)
    values.update(zip(op.results, visit.outputs, strict=True))
    return visit


def _visit(op: Op, arguments: tuple[tuple[Any, ...], dict[str, Any]], run: Run) -> Visit:
    """The rule's forward. An op without a rule, or without a gradient, keeps what torch computed."""
    rule = registry.find(op.function)
    visit = Visit(op, rule, outputs=op.outputs)
    if rule is not None:
        args, kwargs = arguments
        with _replayed(op):
            visit.forward_lines, (output, visit.backward) = run(rule.function, *args, **kwargs)
        visit.outputs = tuple(tensors(output))
    return visit


def _incoming(visit: Visit, known: Mapping[int, Tensor]) -> tuple[Tensor, ...]:
    pairs = zip(visit.op.results, visit.outputs, strict=True)
    return tuple(
        known[value] if value in known else torch.zeros_like(output) for value, output in pairs
    )


def _accumulate(cotangents: dict[int, Tensor], value: int, cotangent: Tensor) -> None:
    before = cotangents.get(value)
    cotangents[value] = cotangent if before is None else before + cotangent


@functools.lru_cache(maxsize=1024)
def parameters_of(function: Callable[..., Any]) -> inspect.Signature:
    """The signature that binds an op's arguments to its rule's names."""
    return inspect.signature(function)


def _align(visit: Visit, result: Any) -> Iterator[Tensor | None]:
    """The rule's cotangents in the order of the op's input tensors."""
    assert visit.rule is not None
    cotangents: Sequence[Any] = result if isinstance(result, tuple) else (result,)
    signature = parameters_of(visit.rule.function)
    bound = signature.bind(*visit.op.args, **visit.op.kwargs).arguments
    by_name = dict(zip(signature.parameters, cotangents, strict=False))
    by_tensor = {}
    for name, argument in bound.items():
        _match(argument, by_name.get(name), by_tensor)
    return (by_tensor.get(id(tensor)) for tensor in tensors((visit.op.args, visit.op.kwargs)))


def _match(argument: Any, cotangent: Any, found: dict[int, Tensor | None]) -> None:
    if isinstance(argument, Tensor):
        found[id(argument)] = cotangent
    elif isinstance(argument, (tuple, list)) and isinstance(cotangent, (tuple, list)):
        for item, part in zip(argument, cotangent, strict=False):
            _match(item, part, found)
    elif isinstance(argument, Mapping) and isinstance(cotangent, Mapping):
        for key, item in argument.items():
            _match(item, cotangent.get(key), found)


@contextmanager
def _replayed(op: Op) -> Iterator[None]:
    """What the op depended on besides its arguments: autocast, and the numbers it drew."""
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
