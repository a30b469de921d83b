"""Parameters that the loss does not reach, and the op that cut them off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ..finding import Finding, Severity
from ..tape import Backward, Event, Op, Source, Tape
from .absent import renews
from .cutters import anti_fix, cutter
from .examined import Examined
from .expected import expected
from .flow import WAYS_OUT
from .words import parameters

_FLAT = frozenset(("round", "sign", "sgn", "floor", "ceil", "trunc", "fix", "heaviside"))


def cut_graph(examined: Examined) -> Iterator[Finding]:
    """Parameters that the loss does not reach.

    A parameter that the optimizer has, and that some op reads, but that no backward pass gave a
    gradient, is followed along the tape. Where its way to the loss leads through an op that hands
    on numbers without their graph (`detach`, `.data`, `torch.tensor(x)`, `no_grad`, `argmax`, a
    comparison, a cast to integers) or out of torch and back (`numpy`, `item`, `tolist`), that
    is the cut. Where `round`, `sign` or `floor` multiplies by the derivative 0, that is.
    Without an optimizer it is the parameters whose `.grad` the program looks for and does not find,
    which is a warning. The same is done backwards from a loss that `backward()` refuses. A target
    network, which is a copy of one that is trained, and a parameter that has had a gradient before
    are left alone.
    """
    if examined.error is not None:
        yield from _refused(examined)
    yield from _unreached(examined)
    yield from _flattened(examined)


def reclaimed_loss(examined: Examined) -> Iterator[Finding]:
    """A loss without a graph that was made to require a gradient.

    `backward()` began at a leaf, a tensor that nothing was computed into: it gave a gradient to
    that tensor alone. The leaf is traced to the `requires_grad_()` or to the copy that made it
    one, and by its value to the loss that it once was; one that several were copied
    into, torch.tensor(losses, requires_grad=True), is found by the op.
    """
    tape, flow = examined.tape, examined.flow
    for backward in tape.backwards:
        for op in _copies(examined, backward):
            if _lost(tape, flow.above(op.inputs)):
                yield Finding("reclaimed-loss", Severity.ERROR, *anti_fix(op.source), op.source)
        if not set(backward.cotangents) <= set(backward.roots):
            continue
        for root in backward.roots:
            found = _claim(examined, root, backward.after)
            if found is not None and _lost(tape, flow.above((root, *found[1]))):
                yield Finding("reclaimed-loss", Severity.ERROR, *anti_fix(found[0]), found[0])
                cuts = [op for op in _cuts_above(examined, found[1]) if op.source != found[0]]
                yield from (cutter(tape, op, "every parameter") for op in cuts[-1:])


def _copies(examined: Examined, backward: Backward) -> Iterator[Op]:
    """The ops whose output requires a gradient that it passes on to nobody, if none does."""
    taught = _lost(examined.tape, backward.cotangents)
    for value in set(backward.cotangents).difference(backward.roots) if not taught else ():
        op = examined.flow.maker.get(value)
        if op is not None and not op.node and not op.implicit:
            yield op


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
    said, last = str(examined.error), examined.last
    if "has no attribute 'backward'" in said:
        outs = [event for event in tape.events if event.kind in WAYS_OUT]
        yield from (_out(event, "the loss", Severity.ERROR) for event in outs[-1:])
    elif "does not require grad" in said and last is not None and last.kind == "backward":
        cuts = _cuts_above(examined, last.values)
        if cuts:
            yield cutter(tape, cuts[-1], "every parameter")
        else:
            outs = list(examined.flow.ways_out(_lost(tape, range(len(tape.values)))))
            yield from (_out(event, "the loss", Severity.ERROR) for event in outs[-1:])


def _cuts_above(examined: Examined, values: Iterable[int]) -> list[Op]:
    """The ops that cut off what `values` were computed from."""
    above = examined.flow.above(values)
    return [
        op
        for op in examined.tape.ops
        if examined.flow.is_cut(op)
        and not above.isdisjoint(op.results)
        and not renews(examined.tape, op)
    ]


def _unreached(examined: Examined) -> Iterator[Finding]:
    """What cut off the parameters that had no gradient when they were to be updated."""
    tape, flow = examined.tape, examined.flow
    above = flow.above(root for backward in tape.backwards for root in backward.roots)
    cut: dict[Source | None, tuple[Op, list[int]]] = {}
    gone: dict[Source | None, tuple[Event, list[int]]] = {}
    for value in expected(examined):
        cuts = [op for op in flow.cuts((value,)) if not above.isdisjoint(op.results)]
        for op in cuts[:1]:
            cut.setdefault(op.source, (op, []))[1].append(value)
        outs = flow.ways_out((value,)) if not cuts and value not in above else ()
        for event in list(outs)[:1]:
            gone.setdefault(event.source, (event, []))[1].append(value)
    unsure = all(event.kind != "step" for event in tape.events) and examined.error is None
    for op, values in cut.values():
        found = cutter(tape, op, parameters(tape, values))
        yield replace(found, severity=Severity.WARNING) if unsure else found
    for event, values in gone.values():
        back = _comes_back(examined, event, above)
        severity = Severity.ERROR if back and not unsure else Severity.WARNING
        yield _out(event, parameters(tape, values), severity)


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
