"""Parameters that the loss does not reach, and the op that cut them off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..finding import Finding, Severity
from ..tape import Event, Op, Source, Tape
from .cutters import anti_fix, cutter
from .examined import Examined, Kept
from .words import parameters

_WAYS_OUT = frozenset(("numpy", "item", "tolist", "__array__", "__float__"))
_FLAT = frozenset(("round", "sign", "sgn", "floor", "ceil", "trunc", "fix", "heaviside"))
_TWIN = 0.5
"""Two weights this close, relative to their norm, are a network and its target: weights that were
drawn apart are √2 away from each other."""


class Reached(Kept):
    """The parameters that have had a gradient in an earlier step."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def remember(self, examined: Examined) -> None:
        values = examined.tape.values
        for value in _with_gradient(examined.tape):
            self.names.add(values[value].called)


def cut_graph(examined: Examined) -> Iterator[Finding]:
    """Parameters that the loss does not reach.

    A parameter that the optimizer has, and that some op reads, but that no backward pass gave a
    gradient, is followed along the tape. Where its way to the loss leads through an op that hands
    on numbers without their graph (`detach`, `.data`, `torch.tensor(x)`, `no_grad`, `argmax`, a
    comparison, a cast to integers) or out of torch and back (`numpy`, `item`, `tolist`), that
    is the cut. Where `round`, `sign` or `floor` multiplies by the derivative 0, that is.
    The same is done backwards from a loss that `backward()` refuses. A target network, which is
    a copy of one that is trained, and a parameter that has had a gradient before are left alone.
    """
    if examined.error is not None:
        yield from _refused(examined)
    yield from _unreached(examined)
    yield from _flattened(examined)


def reclaimed_loss(examined: Examined) -> Iterator[Finding]:
    """A loss without a graph that was made to require a gradient.

    `backward()` began at a leaf, a tensor that nothing was computed into: it gave a gradient to
    that tensor alone. The leaf is traced to the `requires_grad_()` or to the copy that made it
    one, and by its value to the loss that it once was.
    """
    tape, flow = examined.tape, examined.flow
    for backward in tape.backwards:
        if not set(backward.cotangents) <= set(backward.roots):
            continue
        for root in backward.roots:
            found = _claim(examined, root, backward.after)
            if found is not None and _lost(tape, flow.above((root, *found[1]))):
                yield Finding("reclaimed-loss", Severity.ERROR, *anti_fix(found[0]), found[0])
                cuts = [op for op in _cuts_above(examined, found[1]) if op.source != found[0]]
                yield from (cutter(tape, op, "every parameter") for op in cuts[-1:])


def _claim(examined: Examined, root: int, after: int) -> tuple[Source | None, set[int]] | None:
    """Where a loss was made a leaf, and the values that it was before."""
    tape, maker = examined.tape, examined.flow.maker.get(root)
    if maker is not None:
        return (maker.source, set(maker.inputs)) if not maker.node else None
    content = tape.values[root].tensor
    claims = [event for event in tape.events if event.kind == "requires_grad_"]
    for op in reversed(tape.ops[:after]):
        for value, output in zip(op.results, op.outputs, strict=True):
            if output.shape == content.shape and bool((output == content).all()):
                source = next((e.source for e in claims if value in e.values), op.source)
                return source, {value}
    return None


def _lost(tape: Tape, values: Iterable[int]) -> list[int]:
    """Those of `values` that are leaves and require a gradient."""
    return [v for v in values if tape.values[v].requires_grad and tape.values[v].leaf]


def _refused(examined: Examined) -> Iterator[Finding]:
    """What cut off the loss that ``backward()`` raised about."""
    tape = examined.tape
    said, last = str(examined.error), tape.events[-1] if tape.events else None
    if "has no attribute 'backward'" in said:
        outs = [event for event in tape.events if event.kind in _WAYS_OUT]
        yield from (_out(event, "the loss", Severity.ERROR) for event in outs[-1:])
    elif "does not require grad" in said and last is not None and last.kind == "backward":
        cuts = _cuts_above(examined, last.values)
        if cuts:
            yield cutter(tape, cuts[-1], "every parameter")
        else:
            outs = list(_ways_out(examined, _lost(tape, range(len(tape.values)))))
            yield from (_out(event, "the loss", Severity.ERROR) for event in outs[-1:])


def _cuts_above(examined: Examined, values: Iterable[int]) -> list[Op]:
    """The ops that cut off what `values` were computed from."""
    above = examined.flow.above(values)
    return [
        op
        for op in examined.tape.ops
        if examined.flow.is_cut(op) and not above.isdisjoint(op.results)
    ]


def _unreached(examined: Examined) -> Iterator[Finding]:
    """What cut off the parameters that had no gradient when the optimizer stepped."""
    tape, flow = examined.tape, examined.flow
    above = flow.above(root for backward in tape.backwards for root in backward.roots)
    cut: dict[Source | None, tuple[Op, list[int]]] = {}
    gone: dict[Source | None, tuple[Event, list[int]]] = {}
    for value in _expected(examined):
        cuts = [op for op in flow.cuts((value,)) if not above.isdisjoint(op.results)]
        for op in cuts[:1]:
            cut.setdefault(op.source, (op, []))[1].append(value)
        outs = _ways_out(examined, (value,)) if not cuts and value not in above else ()
        for event in list(outs)[:1]:
            gone.setdefault(event.source, (event, []))[1].append(value)
    for op, values in cut.values():
        yield cutter(tape, op, parameters(tape, values))
    for event, values in gone.values():
        back = _comes_back(examined, event, above)
        severity = Severity.ERROR if back else Severity.WARNING
        yield _out(event, parameters(tape, values), severity)


def _expected(examined: Examined) -> list[int]:
    """The parameters that should have had a gradient, that ops read, and that had none."""
    tape, flow = examined.tape, examined.flow
    if not tape.backwards:
        return []
    steps = [event for event in tape.events if event.kind == "step" and event.backwards]
    held = {value for event in steps for value in event.values}
    reached = _with_gradient(tape)
    before = examined.memory.of(Reached).names
    lost = [
        value
        for value in sorted(held - reached)
        if tape.values[value].requires_grad
        and tape.values[value].called not in before
        and any(op.index < tape.backwards[-1].after for op in flow.readers[value])
    ]
    return [value for value in lost if not _has_twin(tape, value, reached)]


def _with_gradient(tape: Tape) -> set[int]:
    """The leaves that some backward pass has given a gradient, or that an optimizer has used."""
    passes = (set(b.cotangents) | set(b.leftover) for b in tape.backwards)
    return set[int]().union(*passes) | {update.value for update in tape.updates}


def _has_twin(tape: Tape, value: int, reached: Iterable[int]) -> bool:
    """Whether a parameter is nearly the same as one that is trained: that of a target network."""
    mine = tape.values[value].tensor
    return any(
        theirs.shape == mine.shape and float((theirs - mine).norm()) <= _TWIN * float(mine.norm())
        for theirs in (tape.values[other].tensor for other in reached)
    )


def _ways_out(examined: Examined, values: Iterable[int]) -> Iterator[Event]:
    """The events that take something computed from `values` out of torch."""
    below = examined.flow.below(values)
    for event in examined.tape.events:
        if event.kind in _WAYS_OUT and not below.isdisjoint(event.values):
            yield event


def _comes_back(examined: Examined, event: Event, above: Iterable[int]) -> bool:
    """Whether the loss was computed from a new tensor like the one that an event took out."""
    values, flow = examined.tape.values, examined.flow
    taken = {values[value].tensor.shape for value in event.values if values[value].tensor.dim()}
    fresh = (value for value in above if value not in flow.maker or not flow.maker[value].inputs)
    return any(
        values[value].tensor.shape in taken
        and all(op.index >= event.ops for op in flow.readers[value])
        for value in fresh
    )


def _out(event: Event, what: str, severity: Severity) -> Finding:
    how = event.kind.strip("_")
    return Finding(
        "cut-graph",
        severity,
        f"{how}() takes {what} out of the graph: no gradient comes back",
        f"{how}() hands over plain numbers; what is computed from them has no history.",
        "Compute with the tensor itself, and convert only what is printed or kept.",
        event.source,
    )


def _flattened(examined: Examined) -> Iterator[Finding]:
    """Ops with the derivative 0 through which all of a gradient would have to go."""
    for judged in examined.judged:
        cotangents = judged.backward.cotangents
        for op in judged.ops:
            if op.name.rstrip("_") in _FLAT and op.inputs[0] in cotangents:
                incoming = [cotangents[value] for value in op.results if value in cotangents]
                if (
                    any(map(bool, (dy.any() for dy in incoming)))
                    and not cotangents[op.inputs[0]].any()
                ):
                    yield cutter(examined.tape, op, "everything before it")
