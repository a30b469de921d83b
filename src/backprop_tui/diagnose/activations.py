"""Units that pass no gradient on: dead ones and saturated ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch import Tensor

from ..finding import Finding, Severity
from ..tape import Op
from .examined import Examined, Kept

DEAD_STEPS, DEAD_SAMPLES, DEAD_SHARE = 10, 64, 0.7
"""A layer is reported when this share of its units has been 0 for every sample of that many
steps and samples: in healthy trainings of common models it was 0.44 at most."""

SATURATED_STEPS, SATURATED_SHARE, SATURATED_SLOPE = 5, 0.9, 0.02
"""A layer is reported when this share of its numbers has a slope below this part of the largest."""

_RELU = frozenset(("relu", "relu_"))
_SLOPES: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": lambda y: 4 * y * (1 - y),
    "tanh": lambda y: 1 - y * y,
}

Key = tuple[object, ...]


@dataclass
class Watched:
    """One activation over several steps: which of its units were never above 0."""

    silent: Tensor
    steps: int = 0
    samples: int = 0


class Units(Kept):
    """The activations that were seen so far, by module, line and turn within a step."""

    def __init__(self) -> None:
        self.relus: dict[Key, Watched] = {}
        self.saturated: Counter[Key] = Counter()


def dead_relu(examined: Examined) -> Iterator[Finding]:
    """ReLUs whose units are 0 for every sample.

    A unit whose output is 0 has the slope 0: what lies before it gets no gradient from it. Units
    that were 0 for all samples of ten steps are counted.
    """
    known = examined.memory.of(Units)
    for key, op in _activations(examined, _RELU):
        output = op.outputs[0]
        if output.dim() < 2:
            continue
        unit = _unit_dim(examined, op)
        others = [dim for dim in range(output.dim()) if dim != unit]
        silent = ~(output > 0).any(dim=others)
        watched = known.relus.setdefault(key, Watched(silent))
        if watched.silent.shape != silent.shape:
            continue
        watched.silent = watched.silent & silent
        watched.steps += 1
        watched.samples += output.numel() // max(silent.numel(), 1)
        if watched.steps < DEAD_STEPS or watched.samples < DEAD_SAMPLES:
            continue
        del known.relus[key]  # the next steps are watched afresh: units die late as well
        share = float(watched.silent.float().mean())
        if share >= DEAD_SHARE:
            count = int(watched.silent.sum())
            yield Finding.at(
                op,
                "dead-relu",
                Severity.WARNING,
                f"{count} of {silent.numel()} units were 0 for all {watched.samples} samples of "
                f"{watched.steps} steps",
                "A unit that is 0 for every sample gets no gradient, so that nothing revives it.",
                "Lower the learning rate, check the biases, scale the input, or use a leaky ReLU.",
            )


def saturated(examined: Examined) -> Iterator[Finding]:
    """Sigmoids and tanhs at their ends.

    The slope of a layer's numbers is computed from its output; only layers whose output goes
    on to further parameters count, since a sure prediction saturates the last one rightly.
    """
    known = examined.memory.of(Units)
    flat: Counter[Key] = Counter()
    for key, op in _activations(examined, frozenset(_SLOPES)):
        slope = _SLOPES[op.name.rstrip("_")](op.outputs[0].float())
        share = float((slope < SATURATED_SLOPE).float().mean())
        if share < SATURATED_SHARE or not _is_hidden(examined, op):
            continue
        flat[key] = known.saturated[key] + 1
        if flat[key] == SATURATED_STEPS:
            yield Finding.at(
                op,
                "saturated-activation",
                Severity.WARNING,
                f"{share:.0%} of this layer's numbers lie where {op.name} is flat, for "
                f"{flat[key]} steps in a row",
                f"There its slope is below {SATURATED_SLOPE:.0%} of the largest, and so is what "
                "it passes back.",
                "Scale the input or the initial weights down, or normalize before the activation.",
            )
    known.saturated = flat


def _activations(examined: Examined, names: frozenset[str]) -> Iterator[tuple[Key, Op]]:
    """The ops of these names that a backward pass goes through, each with what it is known by."""
    reached = {value for backward in examined.tape.backwards for value in backward.cotangents}
    turns: Counter[Key] = Counter()
    for op in examined.tape.ops:
        if op.name in names and not reached.isdisjoint(op.results):
            place = (op.module, op.source)
            turns[place] += 1
            yield (*place, turns[place]), op


def _unit_dim(examined: Examined, op: Op) -> int:
    """The dimension that counts a layer's units: channels of images, else the last."""
    maker = examined.flow.maker.get(op.inputs[0])
    dim = op.outputs[0].dim()
    by_channel = maker is not None and maker.name in ("conv1d", "batch_norm")
    return 1 if dim > 3 or (dim == 3 and by_channel) else dim - 1


def _is_hidden(examined: Examined, op: Op) -> bool:
    """Whether what an op made goes on into an op that has parameters."""
    values, flow = examined.tape.values, examined.flow
    below = flow.below(op.results)
    return any(
        other.index > op.index
        and not below.isdisjoint(other.inputs)
        and any(values[value].leaf and values[value].requires_grad for value in other.inputs)
        for other in examined.tape.ops
    )
