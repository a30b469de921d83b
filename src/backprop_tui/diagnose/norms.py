"""Gradients and updates of an unhealthy size."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import torch

from ..finding import Finding, Severity
from ..tape import Op, Tape, Update, tensors
from .examined import Examined, Kept
from .untrained import called
from .words import line_of, parameters

VANISHED_STEPS, VANISHED, EXPLODED_STEPS, EXPLODED = 5, 1e-5, 2, 1e3
"""How many steps in a row a gradient has to be this much smaller or larger at the first layer than
at the last. In healthy trainings of common models, that of a weight is 7e-4 to 2 times as
large, and that of an output 3e-4 to 2 times."""

UPDATE_STEPS, LARGE, SMALL = 12, 0.2, 1e-7
"""How many steps in a row an update has to be this large or small, relative to its weights. A
healthy Adam begins with 0.2 and is soon at 0.04; the highest seen in public code stays at 0.14."""

SYMMETRY_STEPS, _EQUAL = 2, 1e-5


class Sizes(Kept):
    """For how many steps in a row something was out of range."""

    def __init__(self) -> None:
        self.vanished = self.exploded = 0
        self.large: Counter[str] = Counter()
        self.small: Counter[str] = Counter()
        self.equal: Counter[str] = Counter()
        self.rates: dict[str, float] = {}


class Layer(NamedTuple):
    """An op with a weight, and the norms of its gradients.

    Attributes:
        weight: of the weight's gradient, over that of the weight; `output` of the output's.
    """

    op: Op
    weight: float
    output: float


def uneven_layers(examined: Examined) -> Iterator[Finding]:
    """Gradients that vanish or explode on their way to the first layer.

    The first and the last layer of a step are compared. A gradient vanishes if that of the first
    weight, relative to the weight, is far smaller; it explodes if that of the first output is
    far larger.
    """
    known = examined.memory.of(Sizes)
    layers = list(layers_of(examined.tape))
    if len(layers) < 3:
        return
    first, last = layers[0], layers[-1]
    weights = first.weight / (last.weight or math.inf)
    outputs = first.output / (last.output or math.inf)
    known.vanished = known.vanished + 1 if last.weight and weights < VANISHED else 0
    known.exploded = known.exploded + 1 if outputs > EXPLODED else 0
    if known.vanished == VANISHED_STEPS:
        what = f"relative to the weights, the gradient of the first layer is {weights:.1e} of that"
        yield _uneven(first.op, last.op, "vanishing-gradient", what, _VANISHING)
    if known.exploded == EXPLODED_STEPS:
        what = f"the gradient that comes to the first layer is {outputs:.1e} times that"
        yield _uneven(first.op, last.op, "exploding-gradient", what, _EXPLODING)


def _uneven(first: Op, last: Op, kind: str, what: str, fix: str) -> Finding:
    return Finding.at(
        first,
        kind,
        Severity.WARNING,
        f"{what} of the last one, at {line_of(last.source)}",
        "Each layer multiplies the gradient by its slopes and weights.",
        fix,
    )


_VANISHING = "Use ReLUs, residual connections, normalization, or weights initialised for the depth."
_EXPLODING = "Initialise smaller weights, normalize, or clip the gradient."


def layers_of(tape: Tape) -> Iterator[Layer]:
    """The ops that use a weight matrix for the first time, in order, with their gradients."""
    grads = {v: grad for b in tape.backwards for v, grad in b.cotangents.items()}
    seen = set[int]()
    for op in tape.ops:
        made = [grads[v] for v in op.results if v in grads and op.node and not grads[v].is_nested]
        for value, weight in zip(op.inputs, tensors((op.args, op.kwargs)), strict=True):
            known = value in grads and value not in seen and tape.values[value].name
            if known and weight.dim() > 1 and made and value not in op.results:
                seen.add(value)
                output = sum(float(grad.float().norm()) for grad in made)
                yield Layer(op, relative(grads[value], weight), output)


def relative(change: torch.Tensor, weight: torch.Tensor) -> float:
    """‖change‖ / ‖weight‖, infinite for a weight of zeros."""
    return float(change.float().norm() / weight.float().norm())


def update_size(examined: Examined) -> Iterator[Finding]:
    """Updates that are out of proportion to their weights.

    A healthy update changes a weight by about a thousandth. Matrices are watched whose update
    is larger than a fifth, or smaller than a ten-millionth though the learning rate is
    not rising (a warm-up), for twelve steps in a row.
    """
    tape, known = examined.tape, examined.memory.of(Sizes)
    for update in tape.updates:
        name, rate = called(tape, update.value), float(update.options.get("lr", 0.0))
        if not name or update.before.dim() < 2 or not rate:
            continue
        ratio = relative(update.after.float() - update.before.float(), update.before)
        if not math.isfinite(ratio) and not update.before.any():
            continue
        rising = rate > known.rates.get(name, 0.0)
        known.rates[name] = rate
        # From no gradient nothing comes, whatever the rate.
        small = ratio < SMALL and not rising and bool(update.grad.any())
        known.large[name] = known.large[name] + 1 if ratio > LARGE else 0
        known.small[name] = known.small[name] + 1 if small else 0
        if UPDATE_STEPS in (known.large[name], known.small[name]):
            made = (e for e in tape.events if e.kind == "step" and update.value in e.values)
            step = next(made, None)  # an update that a lesson or a script makes has no such call
            yield Finding(
                "large-update" if ratio > LARGE else "small-update",
                Severity.WARNING,
                f"the step changes {parameters(tape, [update.value])} by {ratio:.1e} of its norm, "
                f"for {UPDATE_STEPS} steps in a row",
                "About 1e-3 is usual: more forgets what was learned, less learns nothing.",
                f"{'Lower' if ratio > LARGE else 'Raise'} the learning rate, now {rate:g}.",
                step.source if step is not None else None,
            )


def symmetric_rows(examined: Examined) -> Iterator[Finding]:
    """Units that are and stay the same.

    All rows of a weight are equal, and so are all rows of its gradient, for two steps: whatever
    is learned, all its units learn it.
    """
    tape, known = examined.tape, examined.memory.of(Sizes)
    for update in tape.updates:
        name = called(tape, update.value)
        equal = name and _rows_equal(update)
        known.equal[name] = known.equal[name] + 1 if equal else 0
        if equal and known.equal[name] == SYMMETRY_STEPS:
            reader = next((op for op in tape.ops if update.value in op.inputs), None)
            yield Finding(
                "symmetric-units",
                Severity.WARNING,
                f"all {len(update.before)} rows of {name} are equal, and so are those of its "
                "gradient: its units compute and learn the same",
                "Weights that start out equal get equal gradients, and stay equal for ever.",
                "Initialise the weight with random numbers.",
                reader.source if reader else None,
                reader.name if reader else "",
                reader.module if reader else "",
                reader.index if reader else None,
            )


def _rows_equal(update: Update) -> bool:
    """Whether an update's weight and gradient are one row several times."""
    if update.before.dim() < 2 or len(update.before) < 2:
        return False
    # Two rows tell most weights apart.
    return all(
        bool((t - t[:1]).abs().max() <= _EQUAL * t.abs().max())
        for whole in (update.before, update.grad)
        for t in (whole[:2], whole)
    )
