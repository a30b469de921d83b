"""Gradients of the wrong size: sums that should be means, clips of scaled ones, hooks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import torch
from torch import Tensor

from ..compare import same_bits
from ..finding import Finding, Severity
from ..tape import Backward, Event, Op, Source, Tape, Update
from .examined import Examined, Kept
from .untrained import called
from .words import parameters

_SIZED = (torch.optim.SGD, torch.optim.ASGD)
"""Optimizers to which the size of a gradient matters; Adam and its kin divide it away."""


class Batches(Kept):
    """What has been added up since the last step.

    Attributes:
        lines: where the backward passes were called, of losses that are means over a batch.
        other: whether there were passes of any other loss.
    """

    def __init__(self) -> None:
        self.lines: Counter[Source | None] = Counter()
        self.other = False

    def add(self, examined: Examined, backward: Backward) -> None:
        averaged = all(seed.eq(1).all() for seed in backward.seeds) and all(
            _is_mean(examined.flow.maker.get(root)) for root in backward.roots
        )
        self.other |= not averaged
        self.lines[backward.source] += 1

    def clear(self) -> None:
        self.lines.clear()
        self.other = False


def unscaled_accumulation(examined: Examined) -> Iterator[Finding]:
    """Means that are added up without being divided.

    Since the last step or `zero_grad`, one line has run several backward passes, each of a loss
    that is a mean over its batch, and an optimizer to which the size of a gradient matters
    steps with their sum as it is. A warning, since the learning rate may fit it.
    """
    tape, batches = examined.tape, examined.memory.of(Batches)
    for number, backward in enumerate(tape.backwards):
        batches.add(examined, backward)
        for event in tape.events:
            if event.backwards != number + 1:
                continue
            if event.kind == "step" and (count := _summed(tape, number, batches)):
                yield Finding(
                    "unscaled-accumulation",
                    Severity.WARNING,
                    f"{count} backward passes, each of a mean over its batch, are added up, "
                    f"and the step uses the sum: it is {count} times as long as that of one batch",
                    "A mean over a batch of all samples would be the mean of these losses.",
                    f"Divide the loss by {count} before backward(), or lower the learning rate.",
                    backward.source,
                )
            if event.kind in ("step", "zero_grad"):
                batches.clear()


def _summed(tape: Tape, number: int, batches: Batches) -> int:
    """How many means make up the gradient that is stepped with; 0 for one that is not a sum."""
    counts = list(batches.lines.values())
    used = [update for update in tape.updates if update.backwards == number + 1]
    if batches.other or len(counts) != 1 or counts[0] < 2 or number or not used:
        return 0
    plain = all(_is_plain(tape.backwards[number], update) for update in used)
    return counts[0] if plain else 0


def _is_plain(backward: Backward, update: Update) -> bool:
    """Whether an optimizer of those kinds got the sum as the passes left it."""
    left, grad = backward.leftover.get(update.value), backward.cotangents.get(update.value)
    if not issubclass(update.optimizer, _SIZED) or left is None or grad is None:
        return False
    return torch.equal(update.grad, left + grad)


def _is_mean(op: Op | None) -> bool:
    """Whether an op averages over a batch of several."""
    if op is None or not op.args or not isinstance(op.args[0], Tensor):
        return False
    several = op.args[0].dim() > 0 and op.args[0].shape[0] > 1
    reduction = op.kwargs.get("reduction", "mean")
    is_loss = "loss" in op.name or "entropy" in op.name
    return several and (op.name == "mean" or (is_loss and reduction == "mean"))


def clip_before_unscale(examined: Examined) -> Iterator[Finding]:
    """Gradients that are clipped while a loss scale is still on them.

    `clip_grad_norm_` runs after a backward pass, and the scaler divides by its scale after that.
    """
    events = examined.tape.events
    for at, clip in enumerate(events):
        if clip.kind != "clip" or not clip.backwards or clip.tensor is None:
            continue
        scalings = [i for i, e in enumerate(events) if _unscales(e, clip)]
        if scalings and scalings[0] > at:
            yield Finding(
                "clip-before-unscale",
                Severity.ERROR,
                f"gradients are clipped while the loss scale is on them: their norm of "
                f"{float(clip.tensor):.3g} is not that of the gradients",
                "The scaler divides by its scale at its step: what the clip left is tiny then.",
                "Call scaler.unscale_(optimizer) before clip_grad_norm_.",
                clip.source,
            )


def _unscales(event: Event, clip: Event) -> bool:
    """Whether an event takes the scale off the gradients that a clip is about."""
    same = event.backwards == clip.backwards and not set(event.values).isdisjoint(clip.values)
    return event.kind == "unscale" and same


class Hooks(Kept):
    """Where a parameter's hooks were registered."""

    def __init__(self) -> None:
        self.sources: dict[str, Source | None] = {}


def gradient_hook(examined: Examined) -> Iterator[Finding]:
    """A hook that changes a gradient.

    What the ops gave a value is compared with its gradient after the hook. It is a note:
    whoever writes a hook means it, and whoever reads the gradient may not know.
    """
    tape, known = examined.tape, examined.memory.of(Hooks)
    here = {value: e.source for e in tape.events if e.kind == "hook" for value in e.values}
    known.sources.update({called(tape, value): source for value, source in here.items()})
    for backward in tape.backwards:
        for value in sorted(backward.replaced):
            before, after = _given(backward, value), backward.cotangents.get(value)
            if before is None or after is None or same_bits(before, after):
                continue
            name = called(tape, value)
            yield Finding(
                "gradient-hook",
                Severity.NOTE,
                f"a hook changes the gradient of {parameters(tape, [value])}: its norm was "
                f"{before.norm():.3g} and is {after.norm():.3g}",
                "What the hook returns takes the place of the gradient, for all that comes after.",
                "Return None from a hook that is only to look.",
                here.get(value) or known.sources.get(name) or backward.source,
            )


def _given(backward: Backward, value: int) -> Tensor | None:
    """What the ops gave to a value together."""
    parts = [part for (_, v), part in backward.contributions.items() if v == value]
    return sum(parts[1:], parts[0]) if parts else None
