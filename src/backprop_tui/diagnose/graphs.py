"""Graphs that outlive their step: freed ones gone through again, and ones that grow."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from ..finding import Finding, Severity
from ..tape import Event, Op, Source
from .examined import Examined, Kept
from .words import line_of, spoken

_STEPS = 3
"""How many steps in a row a graph has to reach back before it is said to grow."""
_REMEMBERED = 16


class Made(NamedTuple):
    """One op of an earlier step, by the number of its first node."""

    sequence: int
    name: str
    source: Source | None
    step: int


class Graphs(Kept):
    """Which op made which node in the last steps, and what came after.

    Attributes:
        made: the ops in the order of their nodes.
        passes: step -> where its backward passes were called; `steps` -> where optimizers stepped.
        reaching: a line -> how often in a row a backward pass went through it into an earlier step.
        kept: a line -> how often in a row it kept a graph that no backward pass went through.
    """

    def __init__(self) -> None:
        self.made: list[Made] = []
        self.passes: dict[int, Source | None] = {}
        self.steps: dict[int, Source | None] = {}
        self.reaching: Counter[Source | None] = Counter()
        self.kept: Counter[Source | None] = Counter()
        self.unseen = 0

    def maker(self, sequence: int) -> Made | None:
        """The op that made the node of a number, None for one long ago."""
        at = bisect_right(self.made, sequence, key=lambda made: made.sequence)
        return self.made[at - 1] if at else None

    def remember(self, examined: Examined) -> None:
        tape, step = examined.tape, examined.step
        for backward in tape.backwards:
            self.passes[step] = backward.source
        for event in tape.events:
            if event.kind == "step":
                self.steps[step] = event.source
        self.made += [Made(op.sequence, spoken(op), op.source, step) for op in tape.ops if op.node]
        self.made = [made for made in self.made if made.step > step - _REMEMBERED]


def freed_graph(examined: Examined) -> Iterator[Finding]:
    """A graph that a backward pass goes through when another one has freed it.

    `backward()` raises that it goes through the graph a second time. Either a pass of the same
    step has been there, or what it begins at was computed from a value of an earlier step: the
    number of that value's node tells which op of which step made it.
    """
    said, last = str(examined.error), examined.last
    if last is None or last.kind != "backward":
        return
    known = examined.memory.of(Graphs)
    entries = _entries(examined, examined.flow.above(last.values))
    if "second time" in said and not entries:
        yield from _again(examined, last)
    elif "second time" in said or "modified by an inplace operation" in said:
        for op, made in entries[:1]:
            yield _across(op, made, known, overwritten="inplace" in said)


def _again(examined: Examined, last: Event) -> Iterator[Finding]:
    """Two passes over one graph, in one step."""
    tape, above = examined.tape, examined.flow.above(last.values)
    for backward in tape.backwards:
        both = above & backward.cotangents.keys()
        shared = [op for op in tape.ops if op.node and not both.isdisjoint(op.results)]
        if shared:
            where, freed = line_of(shared[-1].source), line_of(backward.source)
            what = f"again through {spoken(shared[-1])} of {where}, whose graph "
            yield _freed(last, f"{what}backward() at {freed} has freed")
            return
    yield _freed(last, "through a graph that an earlier pass, before the recording, has freed")


def _freed(last: Event, where: str) -> Finding:
    return Finding(
        "freed-graph",
        Severity.ERROR,
        f"backward() goes {where}",
        "A backward pass frees what its graph has saved, unless it is told to retain it.",
        "Call backward() once, on the sum of the losses, or retain_graph=True at first.",
        last.source,
    )


def _across(op: Op, made: Made, known: Graphs, overwritten: bool) -> Finding:
    """A pass into the graph of an earlier step."""
    freed = line_of(known.passes.get(made.step))
    what = f"what {made.name} made at {line_of(made.source)} in step {made.step}"
    recurrent = made.source == op.source or op.module_type
    if overwritten and not recurrent:
        return Finding(
            "overwritten-value",
            Severity.ERROR,
            f"the step changes the weights that {what} needs for its backward, which comes later",
            "The derivative is computed from the saved weights, which are not what they were.",
            "Run every backward pass of a forward before the step, or the forward anew after it.",
            known.steps.get(made.step) or op.source,
        )
    fate = (
        "the optimizer has changed the weights" if overwritten else f"{freed} has freed its graph"
    )
    return Finding(
        "graph-across-steps",
        Severity.ERROR,
        f"backward() goes on into step {made.step}: {spoken(op)} reads {what}, and {fate} since",
        "A tensor carries the graph that made it from step to step.",
        "Detach it where a step begins: state = state.detach().",
        op.source,
        op.name,
        op.module,
        op.index,
    )


def growing_graph(examined: Examined) -> Iterator[Finding]:
    """Graphs that grow from step to step.

    Every backward pass of some steps in a row goes through more nodes of earlier steps than the
    one before it (backpropagation through time that is never cut); or a line adds to what it made
    in the step before, graph and all, and no backward pass ever goes there (a sum of losses for
    the log).
    """
    tape, known = examined.tape, examined.memory.of(Graphs)
    if not tape.backwards:
        return
    roots = [root for backward in tape.backwards for root in backward.roots]
    above = examined.flow.above(roots)
    unseen = sum(len(backward.unseen) for backward in tape.backwards)
    reaching = [op for op, _ in _entries(examined, above)] if unseen > known.unseen else []
    known.unseen = unseen
    everything = range(len(tape.values))
    keeping = [
        op
        for op, made in _entries(examined, everything)
        if made.source == op.source and above.isdisjoint(op.results)
    ]
    known.reaching = Counter({op.source: known.reaching[op.source] + 1 for op in reaching})
    known.kept = Counter({op.source: known.kept[op.source] + 1 for op in keeping})
    for op in reaching:
        if known.reaching[op.source] == _STEPS:
            yield _grows(op, unseen)
    for op in keeping:
        if known.kept[op.source] == _STEPS:
            yield _keeps(op)


def _grows(op: Op, unseen: int) -> Finding:
    return Finding.at(
        op,
        "graph-across-steps",
        Severity.WARNING,
        f"backward() goes on into earlier steps, through {unseen} nodes of theirs by now, "
        f"more with every step",
        "A tensor carries the graph that made it from step to step: time and memory grow.",
        "Detach it where a step begins: state = state.detach().",
    )


def _keeps(op: Op) -> Finding:
    return Finding.at(
        op,
        "kept-graph",
        Severity.WARNING,
        f"{spoken(op)} adds to a value that keeps the graph of every step, and no backward pass "
        "goes there",
        "A sum of losses holds on to what each was computed from, so that memory grows.",
        "Add up loss.item() or loss.detach().",
    )


def _entries(examined: Examined, values: set[int] | range) -> list[tuple[Op, Made]]:
    """The ops that read a value of an earlier step's graph, where they lead to `values`.

    With each the op that made it; of several the one in the same line.
    """
    tape, known = examined.tape, examined.memory.of(Graphs)
    found = []
    for op in tape.ops:
        old = (tape.values[value].sequence for value in op.inputs)
        makers = [made for each in old if each >= 0 and (made := known.maker(each)) is not None]
        if makers and any(value in values for value in op.results):
            found.append(
                (op, max(makers, key=lambda made: (made.source == op.source, made.sequence)))
            )
    return found
