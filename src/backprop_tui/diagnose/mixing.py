"""Samples of a batch that leak into each other: the batch dimension is not where it was thought."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ..fallback import run_op
from ..finding import Finding, Severity
from ..tape import Op, map_tensors, tensors
from ..visit import ambient
from .examined import Examined
from .losses import CLASSES, losses
from .words import spoken

_BETWEEN = frozenset(("batch_norm", "native_batch_norm"))
"""Ops that are meant to look at the whole batch."""
_RECURRENT = frozenset(("lstm", "gru", "rnn_tanh", "rnn_relu"))
_FOLDS = frozenset(("view", "reshape", "flatten", "unflatten", "view_as", "reshape_as"))


def mixed_samples(examined: Examined) -> Iterator[Finding]:
    """Samples that leak into each other.

    In the first step one sample of the batch is exchanged for another, and the ops of the forward
    pass are run again from there. Where the loss has one prediction for each sample, only that
    sample's may change. If others do, the first op is sought whose output changed in more than
    its share: a recurrent layer or attention that takes the batch for the sequence, or what comes
    after a `view` that cut across samples. Batch norm is let through, and so is what compares
    samples on purpose, such as a similarity matrix.
    """
    if examined.memory.steps:
        return
    for op in losses(examined):
        given = list(tensors((op.args, dict(op.kwargs))))[:2]
        batch = given[1].shape[0] if given[1].dim() else 0
        if batch > 1 and given[0].dim() and given[0].shape[0] == batch:
            yield from _mixed(examined, op, batch)


def _mixed(examined: Examined, loss: Op, batch: int) -> Iterator[Finding]:
    flow = examined.flow
    for leaf in _batches(examined, loss, batch):
        below = flow.below([leaf])
        if loss.inputs[0] in below and loss.inputs[1] not in below:
            found = _Exchange(examined, leaf, batch).first_mixer(loss)
            if found is not None:
                yield found
                return


def _batches(examined: Examined, loss: Op, batch: int) -> list[int]:
    """The values that hold a batch of data, as they come in."""
    values, maker = examined.tape.values, examined.flow.maker
    held = [
        value
        for value in sorted(examined.flow.above(loss.inputs[:1]))
        if not values[value].requires_grad
        and not values[value].name
        and values[value].tensor.dim()
        and values[value].tensor.shape[0] == batch
    ]
    return [v for v in held if v not in maker or not set(maker[v].inputs) & set(held)]


class _Exchange:
    """A forward pass in which one sample is another one.

    Args:
        leaf: the value that holds the batch.
    """

    def __init__(self, examined: Examined, leaf: int, batch: int) -> None:
        self._examined, self._batch = examined, batch
        moved = examined.tape.values[leaf].tensor.clone()
        moved[0] = moved[1]
        self._moved = {leaf: moved}
        self._folds: list[Op] = []

    def first_mixer(self, loss: Op) -> Finding | None:
        """What is to be said of the first op that mixes samples, None if there is nothing."""
        above = self._examined.flow.above(loss.inputs[:1])
        for op in self._examined.tape.ops[: loss.index]:
            if self._moved.keys().isdisjoint(op.inputs) or above.isdisjoint(op.results):
                continue
            outputs = self._rerun(op)
            if outputs is None:
                return None
            if op.name in _BETWEEN:
                outputs = [self._own(op, outputs[0])]
            pairs = list(zip(op.outputs, outputs, strict=True))
            share = max((_changed(*pair).double().mean().item() for pair in pairs), default=0.0)
            if share > 1.5 / self._batch:
                return self._said(op, share, list(tensors(loss.args))[-1])
            if op.name in _FOLDS and _cuts_across(op, *pairs[0], self._batch):
                self._folds.append(op)
            self._moved.update(zip(op.results, outputs, strict=True))
        return None

    def _rerun(self, op: Op) -> list[Tensor] | None:
        """The op's outputs from what has moved; None where it cannot be run again."""
        places = iter(op.inputs)

        def read(tensor: Tensor) -> Tensor:
            return self._moved.get(next(places), tensor)

        try:
            with torch.no_grad(), ambient(op):
                return run_op(op, *map_tensors(read, (op.args, dict(op.kwargs))))
        except (RuntimeError, TypeError, IndexError):
            return None

    def _own(self, op: Op, output: Tensor) -> Tensor:
        """Of an op that looks at the whole batch, what became of the exchanged sample alone."""
        before = next(tensors(op.args))
        after = self._moved.get(op.inputs[0], before)
        return torch.where(_changed(before, after), output, op.outputs[0])

    def _said(self, op: Op, share: float, target: Tensor) -> Finding | None:
        said = (
            f"one sample of {self._batch} is exchanged, and {share:.0%} of what {op.name} makes "
            f"changes, not {1 / self._batch:.0%}"
        )
        if self._folds and sum(value in self._moved for value in op.inputs) == 1:
            return _view_for_transpose(self._folds[-1], said)
        if self._takes_batch_for_sequence(op, target):
            return Finding.at(
                op,
                "batch-as-sequence",
                Severity.ERROR,
                f"{said}: its sequence runs along the batch",
                "The layer expects (sequence, batch, features) and is given (batch, sequence, "
                "features): a sample's prediction depends on the other samples.",
                "Make the layer with batch_first=True, or transpose its input.",
            )
        return None

    def _takes_batch_for_sequence(self, op: Op, target: Tensor) -> bool:
        """Whether what the loss has one target each for is the sequence of the layer."""
        scopes = [scope for scope in op.scope if scope.name == "multi_head_attention_forward"]
        if scopes:
            inside = (other for other in self._examined.tape.ops if scopes[-1] in other.scope)
            given = next((t for other in inside for t in tensors(other.args) if t.dim() == 3), None)
        elif op.name in _RECURRENT:
            given = next(tensors(op.args), None)
        else:
            return False
        return (
            given is not None
            and given.dim() == 3
            and given.shape[0] == self._batch
            and given.shape[1] not in (1, self._batch, *target.shape[1:2])
        )


def crossed_classes(examined: Examined) -> Iterator[Finding]:
    """A view where a transpose was meant, before the loss.

    What `cross_entropy` is given comes from a `view` or `reshape` that exchanges two sizes, as in
    (N, T, C) to (N, C, T): it keeps the order of the elements, so that classes and positions mix.
    Or such a view brings the samples to the front, (T, N, C) to (N, T, C), where the loss has a
    target for each of N.
    """
    for op in losses(examined):
        yield from _to_the_front(examined, op)
        maker = examined.flow.maker.get(op.inputs[0])
        if op.name in CLASSES and maker is not None and maker.name in _FOLDS and _swaps(maker):
            before, after = next(tensors(maker.args)).shape, maker.outputs[0].shape
            said = f"{tuple(before)} becomes {tuple(after)} with its elements in the same order"
            yield _view_for_transpose(maker, said)


def _to_the_front(examined: Examined, loss: Op) -> Iterator[Finding]:
    target = list(tensors((loss.args, dict(loss.kwargs))))[1:2]
    above = examined.flow.above(loss.inputs[:1])
    for op in examined.tape.ops[: loss.index] if target and target[0].dim() else ():
        if op.node and op.name in _FOLDS and not above.isdisjoint(op.results) and _swaps(op):
            before, after = next(tensors(op.args)).shape, op.outputs[0].shape
            if after[0] == target[0].shape[0] == before[1] > 1 and before[0] > 1:
                said = f"{tuple(before)} becomes {tuple(after)} with its elements in the same order"
                yield _view_for_transpose(op, said)


def _view_for_transpose(fold: Op, said: str) -> Finding:
    return Finding.at(
        fold,
        "view-for-transpose",
        Severity.ERROR,
        f"{spoken(fold)} exchanges no dimensions: {said}",
        "view and reshape read the elements in their old order; only the shape is that of the "
        "transpose.",
        "Use transpose or permute to exchange dimensions.",
    )


def _changed(before: Tensor, after: Tensor) -> Tensor:
    """Where two outputs differ by more than rounding."""
    if not before.is_floating_point():
        return before != after
    tolerance = 1e-4 * before.abs().max().nan_to_num(posinf=0.0)
    return (before - after).abs() > tolerance


def _swaps(fold: Op) -> bool:
    """Whether a view's shapes differ by two neighbours that have changed places."""
    before, after = list(next(tensors(fold.args)).shape), list(fold.outputs[0].shape)
    if len(before) != len(after):
        return False
    odd = [i for i, sizes in enumerate(zip(before, after, strict=True)) if sizes[0] != sizes[1]]
    return len(odd) == 2 and [before[i] for i in odd] == [after[i] for i in reversed(odd)]


def _cuts_across(fold: Op, before: Tensor, after: Tensor, batch: int) -> bool:
    """Whether no dimension of a view's output keeps the samples apart."""
    if _swaps(fold):
        return True
    changed = _changed(before, after)
    for dim, size in enumerate(changed.shape):
        others = [d for d in range(changed.dim()) if d != dim]
        along = changed.any(dim=others) if others else changed
        if int(along.sum()) <= max(1, size // batch):
            return False
    return bool(changed.any())
