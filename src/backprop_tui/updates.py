"""What became of the parameters, by hand: from the cotangents over clipping to the update."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from .clipping import Clip, clips, gradient
from .compare import ROUNDING, Comparison, Standing, Verdict, bound, compare, same_bits
from .numeric import widen
from .report_rows import UpdateRow
from .rules.optimizer import UPDATES
from .tape import Tape, Update, map_tensors
from .variables import label
from .visit import Convert, same
from .witness import DRAWS, shaken


def rows(tape: Tape) -> Iterator[UpdateRow]:
    """How every update of a tape compares, a row for each parameter."""
    clipped = functools.cache(lambda passes: clips(tape, passes))
    for update in tape.updates:
        rule = UPDATES.get(update.optimizer)
        found = Standing(Verdict.UNCHECKED, 0.0) if rule is None else _standing(update, rule)
        yield UpdateRow(
            optimizer=update.optimizer.__name__,
            name=label(tape, tape.values[update.value]),
            gradient=explained(tape, update, clipped(update.backwards)),
            verdict=found.verdict,
            rho=found.rho,
        )


def options_of(update: Update) -> dict[str, Any]:
    """What an update rule is given besides the parameter and its gradient."""
    options = {**update.state, **update.options}
    if issubclass(update.optimizer, torch.optim.AdamW):
        options["decoupled_weight_decay"] = True  # which torch says in its groups since 2.7
    return options


def by_rule(update: Update, rule: Callable[..., Tensor], convert: Convert = same) -> Tensor:
    """The parameter after the update, by its rule."""
    given = map_tensors(convert, (update.before, update.grad, options_of(update)))
    before, grad, options = given
    with torch.no_grad():
        return rule(before, grad, **options)


def _standing(update: Update, rule: Callable[..., Tensor]) -> Standing:
    """The same without figures, and with the truth in float64 asked only where it is needed."""
    manual, after = by_rule(update, rule).contiguous(), update.after.contiguous()
    if same_bits(manual, after):
        return Standing(Verdict.EXACT, 0.0)
    rho = bound(manual, after)
    if rho <= ROUNDING:
        return Standing(Verdict.ROUNDING, rho)
    found = compared(update, rule, manual)
    return Standing(found.verdict, found.rho)


def compared(update: Update, rule: Callable[..., Tensor], manual: Tensor) -> Comparison:
    """The parameter by hand beside torch's."""
    return compare(
        manual,
        update.after,
        lambda: by_rule(update, rule, widen),
        lambda: (by_rule(update, rule, shaken(draw)) for draw in range(DRAWS)),
    )


def explained(tape: Tape, update: Update, done: Sequence[Clip]) -> Verdict:
    """Whether the gradient that an optimizer used is what the last pass left, clipped.

    Returns:
        UNVERIFIED where something else has changed it, or clipped it by a norm of its own.
    """
    with torch.no_grad():
        grad = gradient(tape, update.value, update.backwards, done)
        known = all(clip.known for clip in done if update.value in clip.found)
        if grad is None or grad.shape != update.grad.shape or not known:
            return Verdict.UNVERIFIED
        manual, used = grad.contiguous(), update.grad.contiguous()
        if same_bits(manual, used):
            return Verdict.EXACT
        return Verdict.ROUNDING if bound(manual, used) <= ROUNDING else Verdict.UNVERIFIED
