"""What is known of each way in which a NaN or inf is born."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Remedy:
    """A kind of birth: why it happens, and the safe way to write it.

    `also` is what there is to add to the message.
    """

    kind: str
    why: str
    fix: str
    also: str = ""


REMEDIES = {
    remedy.kind: remedy
    for remedy in (
        Remedy(
            "overflow",
            "exp leaves float32 above 88.7 (float16 above 11): the next op makes NaN of inf.",
            "Use the function that subtracts the largest exponent first: F.softmax, F.log_softmax, "
            "torch.logsumexp, F.softplus or torch.sigmoid; else clamp the exponent.",
        ),
        Remedy(
            "log-of-softmax",
            "A probability that rounds to 0 (or to 1, under 1 − p) has the logarithm −inf.",
            "Take both in one: F.log_softmax, F.logsigmoid, F.cross_entropy or "
            "F.binary_cross_entropy_with_logits on the logits.",
        ),
        Remedy(
            "log-of-zero",
            "log(0) is −inf, and its slope 1/0 too.",
            "Keep the argument away from 0, torch.log(x.clamp(min=1e-8)), or use torch.xlogy for "
            "x·log(y) with x = 0.",
        ),
        Remedy(
            "outside-domain",
            "The function is not defined there; a rounding error is enough to step over the edge.",
            "Clamp the argument into the domain first, as in x.clamp(-1 + 1e-6, 1 - 1e-6) for acos "
            "or x.clamp(min=0) for sqrt.",
        ),
        Remedy(
            "infinite-slope",
            "At the edge of its domain the function is finite and its slope is not: "
            "½/√x at 0, 1/√(1 − x²) at 1.",
            "Keep off the edge: torch.sqrt(x + eps), x.clamp(-1 + 1e-6, 1 - 1e-6) before acos, "
            "torch.linalg.vector_norm in place of a root of a sum of squares.",
        ),
        Remedy(
            "masked-nan",
            "The branch is masked, so the gradient that arrives is 0, but the slope here is "
            "infinite, and 0·inf is NaN: torch.where masks values, not the ops behind them.",
            "Mask the argument too, so that the op never sees the bad value: "
            "torch.where(ok, torch.sqrt(torch.where(ok, x, 1.0)), 0.0).",
        ),
        Remedy(
            "division-by-zero",
            "The denominator is 0 there.",
            "Add an epsilon or clamp it: x / y.clamp(min=1e-8); a count that may be 0 wants "
            "clamp(min=1).",
        ),
        Remedy(
            "std-of-one",
            "The unbiased estimate divides by n − 1, and there is one element: 0/0.",
            "Use correction=0, or take the statistic over a dimension with more than one element.",
        ),
        Remedy(
            "mean-of-nothing",
            "There is nothing to average: 0/0.",
            "Skip an empty selection, or sum and divide by the count clamped to 1.",
        ),
        Remedy(
            "masked-row",
            "Everything in a row is masked with −inf, and a softmax of that is 0/0.",
            "Leave at least one position open in each row, or mask with a large finite number and "
            "take such rows out afterwards.",
        ),
        Remedy(
            "half-overflow",
            "float16 ends at 65504.",
            "Compute this op in float32 (or all in bfloat16); a loss scale that is too high comes "
            "down by itself when torch.amp.GradScaler does the steps.",
        ),
        Remedy(
            "diverged",
            "Numbers that grow from step to step until they overflow: the updates are too large.",
            "Lower the learning rate, or clip the gradient's norm; normalise the inputs.",
        ),
        Remedy(
            "nan-in-data",
            "It is in the data, before any computation.",
            "Clean or mask the batch: torch.isfinite(x).all() where it is loaded, "
            "torch.nan_to_num only where a 0 is true.",
        ),
        Remedy(
            "nan-in-parameter",
            "The parameter had it before this step began: it was loaded so, or an earlier update "
            "made it.",
            "Start from a sound checkpoint, and record the training from its beginning to see "
            "which step brings it.",
        ),
        Remedy(
            "not-finite",
            "All that the op was given is finite, or an inf that is meant.",
            "Look at the operands of this cell, and keep them where the op is defined.",
        ),
    )
}
"""kind -> what is known of it."""
