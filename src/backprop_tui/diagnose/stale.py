"""Values that a backward pass needs, and that were written to in the meantime."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..compare import Verdict
from ..finding import Finding, Severity
from ..judge import Judged
from ..tape import Op, Source, Tape, map_tensors, tensors
from ..visit import isolate
from ..witness import contributions
from .examined import Examined
from .flow import Flow, works_in_place
from .graphs import freed_graph
from .untrained import called
from .words import line_of, parameters, spoken

_COMPLAINT = re.compile(
    r"modified by an inplace operation: \[[\w.]+ \[(?P<shape>[\d, ]*)\]\]"
    r"(, which is output \d+ of (?P<node>[\w:]+),)? is at version (?P<now>\d+); "
    r"expected version (?P<expected>\d+)"
)
_SAVES_ITS_OUTPUT = frozenset(
    """tanh sigmoid exp relu relu_ softmax log_softmax sqrt rsqrt reciprocal elu selu celu hardtanh
    cumprod norm std cholesky logsumexp expm1 tan""".split()  # noqa: SIM905
)
_SAVES_NOTHING = frozenset(
    """__getitem__ select narrow view reshape flatten unflatten transpose t permute squeeze
    unsqueeze expand expand_as view_as add sub sum mean cat stack neg split chunk unbind clone
    to""".split()  # noqa: SIM905
)
_CLOSE = 1e-4


@dataclass(frozen=True)
class Write:
    """A value written to, when the tape held `at` ops."""

    value: int
    name: str
    source: Source | None
    at: int
    op: Op | None = None


@dataclass(frozen=True)
class Edit:
    """A write that autograd does not count, and what it made of the value."""

    value: int
    name: str
    source: Source | None
    content: Tensor


def overwritten_value(examined: Examined) -> Iterator[Finding]:
    """A value that was saved for backward and overwritten before it.

    PyTorch counts the writes to every tensor, and `backward()` raises where a saved one has a
    version that it should not have. The tape is searched for the first write to a value of
    that shape, and before it for the op that saved it.
    """
    complaint = _COMPLAINT.search(str(examined.error))
    if complaint is None:
        return
    shape = tuple(int(size) for size in complaint["shape"].split(",") if size.strip())
    for write in sorted(_writes(examined), key=lambda each: _unlike(examined, each, complaint)):
        held = tuple(examined.tape.values[write.value].tensor.shape)
        saver = _saver(examined.flow, write)
        if saver is None or held not in (shape, shape[::-1]):
            continue
        changed = int(complaint["now"]) - int(complaint["expected"])
        times = f"{changed} times since" if changed > 1 else "since"
        what = called(examined.tape, write.value) or f"a {'×'.join(map(str, held))} tensor"
        yield _overwritten(examined.tape, write, saver, f"{what} was written to {times}")
        return
    if not any(freed_graph(examined)):  # which tells of a write in an earlier step
        yield _unexplained(examined, "×".join(map(str, shape)) or "single")


def _unexplained(examined: Examined, size: str) -> Finding:
    return Finding(
        "overwritten-value",
        Severity.ERROR,
        f"a {size} tensor that an op has saved for its backward was written to before it",
        "The derivative is computed from the saved value, which is no longer the one it was.",
        "Make a new tensor in place of x += y, x[i] = y or relu_(): "
        "torch.autograd.set_detect_anomaly(True) names the op that has saved it.",
        examined.last.source if examined.last is not None else None,
    )


def _overwritten(tape: Tape, write: Write, saver: Op, evidence: str) -> Finding:
    if write.op is None:
        fix = "Run every backward pass of a forward before the step, or the forward anew after it."
    elif tape.values[write.value].leaf:
        fix = "Change the weights after backward(), not between it and the forward pass."
    else:
        fix = f"Make a new tensor instead of calling {spoken(write.op)}, or write to a clone."
    return Finding(
        "overwritten-value",
        Severity.ERROR,
        f"{write.name} overwrites what {spoken(saver)} at {line_of(saver.source)} has saved for "
        f"its backward: {evidence}",
        "The derivative is computed from the saved value, which is no longer the one it was.",
        fix,
        write.source,
        *((write.op.name, write.op.module, write.op.index) if write.op else ()),
    )


def _writes(examined: Examined) -> Iterator[Write]:
    """Every write that autograd counts, in order."""
    tape = examined.tape
    for op in tape.ops:
        if op.implicit and op.name == "write_through":
            by = tape.ops[op.index - 1]
            yield Write(op.inputs[0], spoken(by), by.source, op.index, by)
        elif works_in_place(op):
            yield Write(op.inputs[0], spoken(op), op.source, op.index, op)
    for event in tape.events:
        if event.kind == "step":
            for value in event.values:
                yield Write(value, "the optimizer's step", event.source, event.ops)


def _unlike(examined: Examined, write: Write, complaint: re.Match[str]) -> tuple[bool, int]:
    """Sorts writes: first those to a value of the node that is complained about."""
    node, maker = complaint["node"], examined.flow.maker.get(write.value)
    if maker is None or not maker.node:
        return node not in (None, "AsStrided", "T", "Transpose"), write.at
    own = write.op.node if write.op is not None else ""
    return not node or not (maker.node.startswith(node) or own == node), write.at


def _saver(flow: Flow, write: Write) -> Op | None:
    """The op that saved a value before it was written to."""
    maker = flow.maker.get(write.value)
    if maker is not None and maker.node and maker.name in _SAVES_ITS_OUTPUT:
        return maker
    readers = [op for op in flow.readers[write.value] if op.index < write.at and op.node]
    mine = [op for op in readers if op is not write.op and not op.implicit]
    return next((op for op in mine if op.name not in _SAVES_NOTHING), None)


def silent_edit(examined: Examined) -> Iterator[Finding]:
    """A saved value that was changed behind autograd's back.

    Writes through `.data`, and those of some optimizers, do not count as changes. Where an
    op's gradient is not its derivative, its rule is run once more on what its inputs were changed
    to before backward: if that gives autograd's answer, autograd has read the changed value.
    """
    for judged in examined.judged:
        for op in judged.ops:
            if judged.isolated[op.index] is Verdict.DIFFERENT and not isinstance(op.function, type):
                edits = (e for e in _edits(examined, judged, op) if _explains(judged, op, e))
                for edit in list(edits)[:1]:
                    yield _silent(examined.tape, op, edit)


def _silent(tape: Tape, op: Op, edit: Edit) -> Finding:
    held = zip(
        (*op.inputs, *op.results), (*tensors((op.args, op.kwargs)), *op.outputs), strict=True
    )
    changed = float((edit.content - dict(held)[edit.value]).abs().max())
    named = tape.values[edit.value].name
    what = parameters(tape, [edit.value]) if named else f"what {spoken(op)} has saved"
    return Finding(
        "silent-edit",
        Severity.ERROR,
        f"{edit.name} changes {what} by up to {changed:.3g} between {spoken(op)} at "
        f"{line_of(op.source)} and its backward: the gradient is wrong, and no error says so",
        "Writes through .data are not counted: backward reads the new value as if it were the old.",
        "Write after backward(), or without .data, so that autograd can tell.",
        edit.source,
        op.name,
        op.module,
        op.index,
    )


def _edits(examined: Examined, judged: Judged, op: Op) -> Iterator[Edit]:
    """What the op's inputs and outputs became, after it and before the backward pass."""
    tape, flow, after = examined.tape, examined.flow, judged.backward.after
    number = tape.backwards.index(judged.backward)
    for value in dict.fromkeys((*op.inputs, *op.results)):
        for reader in flow.readers[value]:
            if reader.name in ("detach", "torch.Tensor.data.__get__"):
                yield from _through(flow, value, reader, op.index, after)
        for event in tape.events:
            if (
                event.kind == "data="
                and value in event.values
                and event.tensor is not None
                and op.index < event.ops <= after
            ):
                yield Edit(value, ".data =", event.source, event.tensor)
        steps = [e for e in tape.events if e.kind == "step" and op.index < e.ops <= after]
        for update in tape.updates:
            if update.value == value and update.backwards <= number and steps:
                source = steps[-1].source
                yield Edit(value, "the optimizer's step", source, update.after)


def _through(flow: Flow, value: int, alias: Op, since: int, until: int) -> Iterator[Edit]:
    """The writes to a value through an alias that shares its memory."""
    for writer in flow.readers[alias.results[0]]:
        if (
            works_in_place(writer)
            and since < writer.index < until
            and writer.inputs[0] == alias.results[0]
        ):
            name = f"{spoken(writer)} through {spoken(alias)}"
            yield Edit(value, name, writer.source, writer.outputs[0])


def _explains(judged: Judged, op: Op, edit: Edit) -> bool:
    """Whether the op's rule, fed with the changed value, gives what autograd answered."""
    content = edit.content
    if edit.value not in op.inputs:
        return True  # its own output, which no rule reads: that it is wrong and was edited is all
    position = iter(op.inputs)

    def changed(tensor: Tensor) -> Tensor:
        same = next(position) == edit.value and content.shape == tensor.shape
        return content if same else tensor

    args, kwargs = map_tensors(changed, (op.args, dict(op.kwargs)))
    with torch.no_grad():
        visit = isolate(judged.backward, replace(op, args=args, kwargs=kwargs))
        pairs = list(contributions(judged.backward, op, visit.outgoing))
    return bool(pairs) and all(
        float((mine - theirs).norm()) <= _CLOSE * float(theirs.norm()) for _, mine, theirs in pairs
    )
