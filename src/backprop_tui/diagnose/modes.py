"""Training in evaluation mode."""

from __future__ import annotations

from collections.abc import Iterator

from ..calls import argument
from ..finding import Finding, Severity
from ..tape import Op, Source
from .examined import Examined, Kept
from .words import line_of, spoken


class Modes(Kept):
    """Which modules have been in training mode, and where ``eval()`` was called last."""

    def __init__(self) -> None:
        self.trained: set[str] = set()
        self.source: Source | None = None


def evaluation_mode(examined: Examined) -> Iterator[Finding]:
    """Dropout that drops nothing and batch norm that goes by old statistics, while training.

    Such an op counts when the optimizer steps with the gradient of the layer before it. It is
    a warning where its module has been in training mode in an earlier step (an evaluation
    that nobody ended), or where it is dropout; batch norm alone may be frozen on purpose, which is
    a note.
    """
    tape, known = examined.tape, examined.memory.of(Modes)
    for event in tape.events:
        known.source = event.source if event.kind == "eval" else known.source
    found = [(op, trains) for op in tape.ops if (trains := _mode(op)) is not None]
    idle = [op for op, trains in found if not trains and _is_trained(examined, op)]
    before = [op for op in idle if _place(op) in known.trained]
    dropout = [op for op in idle if "dropout" in op.name]
    known.trained |= {_place(op) for op, trains in found if trains}
    if not idle:
        return
    partly = any(trains and "dropout" in op.name for op, trains in found)
    first = next(iter(before or dropout or idle))
    likely = before or (dropout and not partly)
    more = f" and {len(idle) - 1} more like it" if len(idle) > 1 else ""
    since = "It was in training mode in an earlier step: " if before else ""
    yield Finding(
        "evaluation-mode",
        Severity.WARNING if likely else Severity.NOTE,
        f"{spoken(first)} at {line_of(first.source)}{more} runs in evaluation mode, while the "
        "optimizer trains what lies around it",
        f"{since}dropout drops nothing, and batch norm takes running statistics, not the batch's.",
        "Call model.train() before the training goes on.",
        known.source or first.source,
        first.name,
        first.module,
        first.index,
    )


def _mode(op: Op) -> bool | None:
    """Whether an op is in training mode; None for one that has no modes."""
    if not op.grad_mode:
        return None
    if op.name == "batch_norm":
        return bool(argument(5, "training", op.args, op.kwargs, False))
    if "dropout" in op.name and argument(1, "p", op.args, op.kwargs, 0.5):
        return bool(argument(2, "training", op.args, op.kwargs, True))
    return None


def _place(op: Op) -> str:
    return op.module or line_of(op.source)


def _is_trained(examined: Examined, op: Op) -> bool:
    """Whether the nearest op before this one that has parameters is trained by this step."""
    flow, updated = examined.flow, {update.value for update in examined.tape.updates}
    at: Op | None = op
    while at is not None:
        named = [value for value in at.inputs if examined.tape.values[value].name]
        if named:
            return not updated.isdisjoint(named)
        at = flow.maker.get(at.inputs[0]) if at.inputs else None
    return False
