"""Parameters that get a gradient and no update: whom the optimizer does not have."""

from __future__ import annotations

import linecache
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

from ..finding import Finding, Severity
from ..tape import Event, Op, Source, Tape
from .examined import Examined, Kept
from .flow import Flow
from .words import parameters

_PATIENCE = 3
"""How many steps to wait for another optimizer where it was not seen which ones were made."""


class Optimizers(Kept):
    """The optimizers that were made or have stepped."""

    def __init__(self) -> None:
        self.made = False
        self.sources: dict[str, Source | None] = {}  # what an optimizer has -> where it was made

    def remember(self, examined: Examined) -> None:
        tape = examined.tape
        for event in tape.events:
            if event.kind in ("optimizer", "step"):
                self.made |= event.kind == "optimizer"
                for value in event.values:
                    self.sources.setdefault(called(tape, value), event.source)


def untrained(examined: Examined) -> Iterator[Finding]:
    """Parameters that get a gradient and no update.

    When an optimizer steps, every leaf that a backward pass of the step gave a gradient is looked
    for in it, in all others that were made, and among those that the program changes by hand.
    One that is in none of them is reported where an optimizer does have other parameters of the
    same models. Why it is missing shows in who has it: a plain list or attribute of a module
    registers nothing, and an optimizer made before a layer was replaced still has the old one.
    """
    tape, known = examined.tape, examined.memory.of(Optimizers)
    known.remember(examined)
    steps = [event for event in tape.events if event.kind == "step" and event.backwards]
    if not steps or (not known.made and examined.memory.steps < _PATIENCE):
        return
    held = {value for event in steps for value in event.values}
    missing = [v for v in _fed(examined) if v not in held and called(tape, v) not in known.sources]
    named = [value for value in missing if tape.values[value].name]
    replaced = _replaced(examined, held, named)
    if replaced:
        yield _stale(tape, steps[-1], known, replaced)
    elif any(tape.values[value].name for value in held):
        yield from _unregistered(tape, named)
        yield from _left_out(tape, steps[-1], known, named)
    yield from _attributes(tape, missing)


def called(tape: Tape, value: int) -> str:
    """What a leaf is called from step to step."""
    return tape.values[value].called


def _fed(examined: Examined) -> list[int]:
    """The leaves that got a gradient and that the program does not change by hand."""
    tape, flow = examined.tape, examined.flow
    given = {
        value
        for backward in tape.backwards
        for value, grad in backward.cotangents.items()
        if tape.values[value].leaf and grad.any()
    }
    by_hand = {value for event in tape.events if event.kind == "data=" for value in event.values}
    return [
        value
        for value in sorted(given - by_hand)
        if called(tape, value) and not edited(flow, value)
    ]


def edited(flow: Flow, value: int) -> bool:
    """Whether an op writes into a leaf, by itself or through its `.data`."""
    for op in flow.readers[value]:
        if value in op.results:
            return True
        if op.name in ("detach", "torch.Tensor.data.__get__") and any(
            op.results[0] in reader.results for reader in flow.readers[op.results[0]]
        ):
            return True
    return False


def _replaced(examined: Examined, held: Iterable[int], named: Iterable[int]) -> list[int]:
    """Parameters in whose place an optimizer has one of that shape that nothing reads any more."""
    tape, flow = examined.tape, examined.flow
    idle = {
        tape.values[value].tensor.shape
        for value in held
        if not tape.values[value].name and not flow.readers[value]
    }
    return [value for value in named if tape.values[value].tensor.shape in idle]


def _stale(tape: Tape, step: Event, known: Optimizers, replaced: list[int]) -> Finding:
    return Finding(
        "stale-optimizer",
        Severity.ERROR,
        f"the optimizer has tensors that no model reads any more, not {parameters(tape, replaced)}",
        "A layer was replaced after the optimizer had been made: it goes on with the old one.",
        "Make the optimizer when the model is complete.",
        _made_at(tape, step, known),
    )


def _unregistered(tape: Tape, named: list[int]) -> Iterator[Finding]:
    by_attribute: dict[tuple[str, str], list[int]] = defaultdict(list)
    sources = {}
    for path, found in tape.unregistered.items():
        inside = [v for v in named if tape.values[v].name.startswith(f"{path}.")]
        by_attribute[found.owner, found.attribute] += inside
        sources[found.owner, found.attribute] = found.source
    for (owner, attribute), values in by_attribute.items():
        if values:
            held = (
                f"a plain list or dict in {owner}.{attribute}"
                if attribute
                else f"no attribute of {owner}"
            )
            yield Finding(
                "unregistered-module",
                Severity.WARNING,
                f"{parameters(tape, values)} get a gradient, but no optimizer has them: "
                f"{owner} calls modules that it does not register",
                f"They are held by {held}, which parameters() does not look into.",
                "Hold them in an nn.ModuleList, an nn.ModuleDict or an attribute of their own.",
                sources[owner, attribute] or _first_reader(tape, values),
            )


def _left_out(tape: Tape, step: Event, known: Optimizers, named: list[int]) -> Iterator[Finding]:
    paths = tuple(f"{path}." for path in tape.unregistered)
    values = [value for value in named if not tape.values[value].name.startswith(paths)]
    if values:
        yield Finding(
            "not-in-optimizer",
            Severity.WARNING,
            f"{parameters(tape, values)} get a gradient, but no optimizer has them",
            "A parameter that is in no optimizer keeps the value that it was made with.",
            "Give them to the optimizer; if they are to stay, set requires_grad_(False).",
            _made_at(tape, step, known),
        )


def _attributes(tape: Tape, missing: list[int]) -> Iterator[Finding]:
    """Tensors that a module has as plain attributes."""
    for value in missing:
        leaf = tape.values[value]
        if not leaf.name and "." in leaf.variable:
            reader = next(op for op in tape.ops if value in op.inputs)
            yield Finding(
                "unregistered-parameter",
                Severity.WARNING,
                f"{parameters(tape, [value])} gets a gradient, but no optimizer has it",
                "It is a plain tensor: the module does not register it parameters() lacks it.",
                "Wrap it in nn.Parameter; several in an nn.ParameterList.",
                _assignment(reader, leaf.variable) or reader.source,
            )


def _assignment(reader: Op, variable: str) -> Source | None:
    """Where the class whose method reads an attribute assigns to it first."""
    if reader.source is None:
        return None
    attribute = re.escape(variable.partition(".")[2].partition("[")[0])
    inside = False
    for number, line in enumerate(linecache.getlines(reader.source.file), 1):
        inside = inside or re.match(rf"\s*class {reader.module_type}\b", line) is not None
        if inside and re.match(rf"\s*self\.{attribute}\b[^=]*=", line):
            return Source(reader.source.file, number, "__init__")
    return None


def _made_at(tape: Tape, step: Event, known: Optimizers) -> Source | None:
    """Where the optimizer that stepped was made, else where it stepped."""
    sources = (
        known.sources.get(called(tape, value)) for value in step.values if called(tape, value)
    )
    return next(sources, None) or step.source


def _first_reader(tape: Tape, values: list[int]) -> Source | None:
    return next((op.source for op in tape.ops if not set(values).isdisjoint(op.inputs)), None)
