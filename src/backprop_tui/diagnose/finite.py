"""The first NaN or inf of a step, in the forward pass or the backward pass."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from torch import Tensor

from ..finding import Finding, Severity
from ..tape import Backward, Op, Tape, tensors
from .causes import cause_of, spoilt_leaf, spoilt_update
from .cells import backward_cell, forward_cell, has_nan, is_finite
from .course import Course
from .examined import Examined


def not_finite(examined: Examined) -> Iterator[Finding]:
    """The first NaN or inf.

    A loss, a gradient or an updated parameter that is not finite is traced to the op that made
    the first NaN or inf on the way to it: one whose inputs were all finite, or which made NaN of
    an inf that is there on purpose, as in a mask. The cell, its operands, and for a backward pass
    the cotangent that arrived, tell the cause. Of a training only the first birth is reported. An
    overflow under a `GradScaler`, which skips that step, is a note.
    """
    course = examined.memory.of(Course)
    if course.found:
        return
    for finding in _births(examined):
        course.found = finding.severity is Severity.ERROR
        yield finding
        return


def _births(examined: Examined) -> Iterator[Finding]:
    tape = examined.tape
    for backward in tape.backwards:
        if not all(is_finite(tape.values[root].tensor) for root in backward.roots):
            yield from _forward(examined, backward.roots)
        elif not all(map(is_finite, _leaf_gradients(tape, backward))):
            yield from _backward(examined, backward)
    if examined.error is not None and not tape.backwards:
        last = [op.results[-1] for op in tape.ops[-1:] if not all(map(is_finite, op.outputs))]
        yield from _forward(examined, tuple(last))
    for update in tape.updates:
        if not is_finite(update.after) and is_finite(update.grad):
            yield spoilt_update(examined, update)


def _forward(examined: Examined, roots: tuple[int, ...]) -> Iterator[Finding]:
    """The first op above the roots that made something not finite, or the leaf that was so."""
    above, makers = examined.flow.above(roots), examined.flow.maker
    for op in examined.tape.ops:
        # One that fills a parameter in place made no value: what it read is of no consequence.
        if any(value in above and makers.get(value) is op for value in op.results):
            found = _from_outside(examined, op) or _born(examined, op)
            if found is not None:
                yield found
                return


def _from_outside(examined: Examined, op: Op) -> Finding | None:
    """What an op reads from outside the tape, or makes of nothing, that is not finite."""
    read = zip(op.inputs, tensors((op.args, dict(op.kwargs))), strict=True)
    if op.name.startswith("empty"):
        return None  # it is going to be written to
    for value, tensor in read if op.inputs else zip(op.results, op.outputs, strict=True):
        outside = not op.inputs or value not in examined.flow.maker
        if outside and not is_finite(tensor) and not _is_mask(examined.tape, value, tensor):
            return spoilt_leaf(examined, op, value, tensor)
    return None


def _born(examined: Examined, op: Op) -> Finding | None:
    """What an op makes that is not finite, of what is, or of an inf that is meant.

    Any other inf or NaN among its inputs would have been found before, but for what
    an empty tensor holds.
    """
    bad = [tensor for tensor in tensors((op.args, dict(op.kwargs))) if not is_finite(tensor)]
    if not op.inputs or any(map(has_nan, bad)):
        return None
    for output in op.outputs:
        fresh = not is_finite(output) and not bad and not _writes_inf(op)
        if fresh or has_nan(output):
            return cause_of(examined, forward_cell(op, output))
    return None


def _backward(examined: Examined, backward: Backward) -> Iterator[Finding]:
    """The first op, on the way back, that answered something finite with something that is not."""
    for op in reversed(examined.tape.ops[: backward.after]):
        incoming = [
            backward.cotangents[value] for value in op.results if value in backward.cotangents
        ]
        if not incoming or not all(map(is_finite, incoming)):
            continue
        for value, tensor in zip(op.inputs, tensors((op.args, dict(op.kwargs))), strict=True):
            gradient = _given(backward, op, value)
            if gradient is not None and not is_finite(gradient):
                cell = backward_cell(op, tensor, gradient, incoming[0])
                found = cause_of(examined, cell)
                if _is_scaled(examined.tape, backward):
                    found = replace(found, severity=Severity.NOTE)
                yield found
                return


def _given(backward: Backward, op: Op, value: int) -> Tensor | None:
    """What an op alone gave to a value's gradient."""
    part = backward.contributions.get((op.index, value))
    if part is None and value not in backward.shared:
        return backward.cotangents.get(value)
    return part


def _is_scaled(tape: Tape, backward: Backward) -> bool:
    """Whether the loss was multiplied by a factor, and no optimizer has used its gradients."""
    makers = [op for op in tape.ops[: backward.after] if set(op.results) & set(backward.roots)]
    scaled = any(op.name in ("mul", "__mul__", "__rmul__") for op in makers)
    return scaled and not tape.updates


def _leaf_gradients(tape: Tape, backward: Backward) -> Iterator[Tensor]:
    return (grad for value, grad in backward.cotangents.items() if tape.values[value].leaf)


def _is_mask(tape: Tape, value: int, tensor: Tensor) -> bool:
    """Whether a leaf holds −inf on purpose: no gradient, no NaN, and no +inf."""
    known = tape.values[value]
    return not known.requires_grad and bool((tensor < math.inf).all())


def _writes_inf(op: Op) -> bool:
    """Whether an op is given an inf to write."""
    scalars = (part for part in (*op.args, *op.kwargs.values()) if isinstance(part, float))
    return any(map(math.isinf, scalars))
