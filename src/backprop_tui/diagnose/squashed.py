"""Losses that are given the output of a softmax or sigmoid, wrongly."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from ..finding import Finding, Severity
from ..tape import Op, tensors
from .examined import Examined
from .losses import arguments, losses, source_of

_NORMALIZED = 0.1
"""How far the logarithm of a row's summed probabilities may be from 0, for log-probabilities."""


def squashed_twice(examined: Examined) -> Iterator[Finding]:
    """A loss that takes logits and is given probabilities, or the other way round.

    What the loss is given is followed back, through changes of shape, to the op that computed it:
    `cross_entropy` applies log_softmax itself, `binary_cross_entropy_with_logits` a sigmoid.
    For `nll_loss` the numbers themselves are asked: in log-probabilities each row's
    exponentials sum to 1.
    """
    for op in losses(examined):
        maker = source_of(examined.flow, op.inputs[0])
        name = maker.name if maker is not None else ""
        if op.name == "cross_entropy":
            yield from _cross_entropy(op, name, next(tensors((op.args, dict(op.kwargs)))))
        elif op.name == "binary_cross_entropy_with_logits" and name in ("sigmoid", "softmax"):
            yield Finding.at(
                op,
                "sigmoid-twice",
                Severity.ERROR,
                f"binary_cross_entropy_with_logits is given the output of {name}, from 0 to 1: its "
                "own sigmoid makes 0.5 to 0.73 of that",
                "No sample can be told to be negative, and the gradient is nearly alike for all.",
                f"Drop the {name}, or use F.binary_cross_entropy.",
            )
        elif op.name == "nll_loss" and not _over_batch(maker):
            yield from _unnormalised(op, name)


def _cross_entropy(op: Op, name: str, given: Tensor) -> Iterator[Finding]:
    classes = given.shape[min(1, given.dim() - 1)]
    if name == "softmax":
        floor = math.log(math.e + classes - 1) - 1
        yield Finding.at(
            op,
            "softmax-twice",
            Severity.ERROR,
            f"cross_entropy is given the output of softmax: of {classes} classes, the loss cannot "
            f"fall below {floor:.3g}, and its gradient is that of a softmax of a softmax",
            "cross_entropy applies log_softmax itself, to logits.",
            "Give it the logits: drop the softmax, in the model too.",
        )
    elif name == "log_softmax":
        yield Finding.at(
            op,
            "softmax-twice",
            Severity.NOTE,
            "cross_entropy is given the output of log_softmax, which it applies once more",
            "The second log_softmax changes nothing; it only costs time.",
            "Give it the logits, or use F.nll_loss.",
        )
    elif name == "sigmoid":
        yield Finding.at(
            op,
            "sigmoid-twice",
            Severity.WARNING,
            "cross_entropy is given the output of sigmoid, from 0 to 1: no probability that it "
            f"makes of {classes} classes exceeds {math.e / (math.e + classes - 1):.2g}",
            "cross_entropy applies log_softmax itself, to logits.",
            "Give it the logits, or use F.binary_cross_entropy for labels that do not exclude "
            "each other.",
        )


def _unnormalised(op: Op, name: str) -> Iterator[Finding]:
    given = next(tensors(op.args), None)
    if given is None or given.dim() < 2:
        return
    off = given.double().logsumexp(1)
    if not torch.isfinite(off).all() or float(off.abs().max()) <= _NORMALIZED:
        return
    total = float(off.flatten()[int(off.abs().argmax())].exp())
    what = f"the output of {name}" if name else "these numbers"
    yield Finding.at(
        op,
        "nll-without-log",
        Severity.ERROR,
        f"nll_loss is given {what}, which are no log-probabilities: in a row exp(x) sums to "
        f"{total:.3g}, not to 1",
        "nll_loss takes minus the element at the target, whatever it is: without the logarithm the "
        "loss has no lower bound, or the wrong slope.",
        "Use F.cross_entropy on the logits, or F.log_softmax before nll_loss.",
    )


def softmax_over_batch(examined: Examined) -> Iterator[Finding]:
    """A softmax over the samples of a batch.

    The output of `softmax` or `log_softmax` is followed, through changes of shape and a logarithm,
    to a loss whose targets are one for each index of the very dimension that is normalised.
    """
    for op in losses(examined):
        maker = source_of(examined.flow, op.inputs[0])
        if maker is not None and maker.name == "log":
            maker = source_of(examined.flow, maker.inputs[0])
        if maker is None or not _over_batch(maker):
            continue
        batch, targets = maker.outputs[0].shape[0], list(tensors(op.args))[1:]
        if targets and targets[0].dim() and targets[0].shape[0] == batch > 1:
            yield Finding.at(
                maker,
                "softmax-over-batch",
                Severity.ERROR,
                f"{maker.name} over dim 0 normalises over the {batch} samples of the batch, not "
                f"over the {maker.outputs[0].shape[1]} classes",
                "The probabilities of one sample depend on the others, and do not sum to 1.",
                "Name the dimension of the classes: dim=1, or dim=-1.",
            )


def _over_batch(op: Op | None) -> bool:
    """Whether an op is a softmax over the first of several dimensions."""
    if op is None or op.name not in ("softmax", "log_softmax") or op.outputs[0].dim() < 2:
        return False
    dim = arguments(op).get("dim")
    dims = op.outputs[0].dim()
    if dim is None:
        return dims == 3  # as torch chooses it
    return int(dim) % dims == 0
