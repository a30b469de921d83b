"""Gradients that are not there: a `.grad` that is None, and a loss that nothing can learn from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..finding import Finding, Severity
from ..tape import Op, Source, Tape, Value
from .examined import Examined, Kept
from .flow import works_in_place
from .words import line_of, listed, spoken


class Anew(NamedTuple):
    """A tensor that was computed from a parameter without a graph, to take its place."""

    tensor: Tensor
    name: str
    op: str
    source: Source | None
    since: int


class Rebound(Kept):
    """What the last steps made of parameters of the same shape, where no gradient flows."""

    def __init__(self) -> None:
        self.made: list[Anew] = []

    def remember(self, examined: Examined) -> None:
        self.made = list(_anew(examined)) or self.made


def rebound_parameter(examined: Examined) -> Iterator[Finding]:
    """A parameter in whose place an update by hand has put a new tensor.

    What is computed from a parameter under `no_grad` after a backward pass, with its shape, is
    kept. If a later loss is computed from it, and from the parameter itself no more, the name was
    bound to it: `w = w - lr * w.grad`.
    """
    tape = examined.tape
    for anew in _made_anew(examined):
        losses = [root for b in tape.backwards if b.after > anew.since for root in b.roots]
        above = examined.flow.above((*losses, *_refused(examined)))
        inputs = {value for op in tape.ops[anew.since :] for value in op.inputs}
        read = [tape.values[value] for value in sorted(inputs & above)]
        if all(known.called != anew.name for known in read) and any(
            _same(anew.tensor, known.tensor) for known in read if not known.requires_grad
        ):
            yield Finding(
                "rebound-parameter",
                Severity.ERROR,
                f"{anew.op} makes a new tensor in place of {anew.name}, which requires no "
                "gradient: from the next step on it learns nothing",
                "Under no_grad a result has no graph, and is no leaf that requires a gradient.",
                f"Change it in place: {anew.name} -= lr * {anew.name}.grad.",
                anew.source,
            )


def _made_anew(examined: Examined) -> list[Anew]:
    """Those of the steps before, and of this one."""
    before = (anew._replace(since=0) for anew in examined.memory.of(Rebound).made)
    return [*before, *_anew(examined)]


def _anew(examined: Examined) -> Iterator[Anew]:
    """With all that is computed from them: no step begins before some op is differentiable."""
    tape, flow = examined.tape, examined.flow
    for op in tape.ops:
        for value in op.inputs if renews(tape, op) else ():
            known = tape.values[value]
            if known.leaf and known.requires_grad and known.called:
                for made in flow.below(op.results):
                    tensor = tape.values[made].tensor
                    yield Anew(tensor, known.called, spoken(op), op.source, op.index + 1)


def renews(tape: Tape, op: Op) -> bool:
    """Whether an op makes a new tensor of a parameter, where no gradient flows, after a pass."""
    if op.node or works_in_place(op) or all(op.index < each.after for each in tape.backwards):
        return False
    shapes = {output.shape for output in op.outputs}
    given = (tape.values[value] for value in op.inputs)
    return any(each.leaf and each.requires_grad and each.tensor.shape in shapes for each in given)


def _same(mine: Tensor, theirs: Tensor) -> bool:
    return mine.shape == theirs.shape and torch.equal(mine, theirs)


def nothing_to_train(examined: Examined) -> Iterator[Finding]:
    """A loss that nothing can learn from.

    `backward()` raises that the loss does not require a gradient, and no op has cut it off: none
    of the tensors that it was computed from requires one.
    """
    tape, flow = examined.tape, examined.flow
    above = flow.above(_refused(examined))
    if not above:
        return
    leaves = [value for value in tape.values if value.leaf and value.index in above]
    lost = [value.index for value in tape.values if value.leaf and value.requires_grad]
    if not above.isdisjoint(lost) or any(flow.ways_out(lost)) or _is_anew(examined, leaves):
        return  # it was cut off
    frozen = [leaf.name for leaf in leaves if leaf.name]
    what = f"{listed(frozen)} are frozen" if frozen else "all of them are data"
    yield Finding(
        "nothing-to-train",
        Severity.ERROR,
        f"none of the {len(leaves)} tensors that the loss was computed from requires a gradient: "
        f"{what}",
        "Gradients flow to leaves that require them, and there is none.",
        "Set requires_grad_() on what is to be trained, or use the model's output for the loss.",
        tape.events[-1].source,
    )


def _refused(examined: Examined) -> tuple[int, ...]:
    """The loss that `backward()` raised about, which requires no gradient."""
    last, said = examined.last, str(examined.error)
    refused = last is not None and last.kind == "backward" and "does not require grad" in said
    return last.values if last is not None and refused else ()


def _is_anew(examined: Examined, leaves: Sequence[Value]) -> bool:
    """Whether one of them took the place of a parameter, which is said already."""
    made = [anew.tensor for anew in _made_anew(examined)]
    return any(_same(tensor, leaf.tensor) for tensor in made for leaf in leaves)


def absent_gradient(examined: Examined) -> Iterator[Finding]:
    """A `.grad` that is None when the program computes with it.

    What the program asked for last, before the exception about a NoneType, is looked at: a leaf
    has no gradient before the first pass, nor ever if it requires none or no loss depends on it.
    """
    tape, error = examined.tape, examined.error
    last = examined.last
    if last is None or last.kind != "grad" or "NoneType" not in str(error):
        return
    value = tape.values[last.values[0]]
    maker = examined.flow.maker.get(value.index)
    if (maker is not None and maker.inputs) or _is_anew(examined, [value]):
        return
    name = examined.name(value.index) or "the tensor"
    if not value.requires_grad:
        why, fix = "it requires none", f"Make it with requires_grad=True: {name}.requires_grad_()."
    elif not tape.backwards and not examined.memory.steps:
        why = "no backward pass has run yet"
        fix = f"Empty it once it was used: {name}.grad = None after the update."
    elif examined.flow.readers[value.index]:
        return  # what has cut it off says more
    else:
        why, fix = "the loss was computed without it", f"Use {name}, or leave it out of the update."
    yield Finding(
        "absent-gradient",
        Severity.ERROR,
        f"{name}.grad is None: {why}",
        "backward() makes .grad, of leaves that require it and that the loss depends on.",
        fix,
        last.source,
    )


def gradient_of_interior(examined: Examined) -> Iterator[Finding]:
    """A `.grad` asked of a tensor that is computed.

    After a backward pass, the program reads the `.grad` of an op's output, which is None. An
    error where it goes on to compute with it.
    """
    tape = examined.tape
    for event in tape.events:
        op = examined.flow.maker.get(event.values[0]) if event.kind == "grad" else None
        if op is None or not op.node or not event.backwards:
            continue
        name = examined.name(event.values[0]) or "the tensor"
        fatal = event is tape.events[-1] and "NoneType" in str(examined.error)
        yield Finding(
            "gradient-of-interior",
            Severity.ERROR if fatal else Severity.WARNING,
            f"{name}.grad is None: {spoken(op)} at {line_of(op.source)} computes it, and only "
            "leaves keep their gradient",
            "backward() goes on through a computed tensor to what it was computed from.",
            "Make it a leaf last, as in (0.1 * torch.randn(3)).requires_grad_(), or call "
            f"{name}.retain_grad() before backward().",
            op.source if fatal else event.source,
        )
