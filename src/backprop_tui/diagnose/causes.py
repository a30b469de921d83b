"""Why a NaN or inf was born in a cell, and how to write the op so that it is not."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from ..finding import Finding, Severity
from ..tape import Op, Source, Update, tensors
from .cells import Cell
from .course import Course
from .examined import Examined
from .remedies import REMEDIES, Remedy

_SPELLINGS = {
    "__truediv__": "div",
    "__rtruediv__": "rdiv",
    "__rdiv__": "rdiv",
    "true_divide": "div",
    "divide": "div",
    "__itruediv__": "div",
    "__pow__": "pow",
    "__rpow__": "rpow",
    "__ipow__": "pow",
    "arccos": "acos",
    "arcsin": "asin",
}


_ARITHMETIC = frozenset(("div", "rdiv", "pow", "rpow", "mul", "add", "sub", "rsub"))
"""Ops whose numbers are operands; those of others are dimensions and settings."""


def plain_name(op: Op) -> str:
    """An op's name without its spelling: ``__truediv__`` and ``div_`` are ``div``."""
    name = _SPELLINGS.get(op.name, op.name)
    return name if name[:2] == "__" else name.rstrip("_")


def cause_of(examined: Examined, cell: Cell) -> Finding:
    """The finding of a birth."""
    remedy = next(filter(None, (cause(examined, cell) for cause in CAUSES)), REMEDIES["not-finite"])
    return _finding(examined, cell.op, remedy, _said(cell))


def _finding(examined: Examined, op: Op, remedy: Remedy, message: str) -> Finding:
    found = Finding.at(
        op, remedy.kind, Severity.ERROR, message + remedy.also, remedy.why, remedy.fix
    )
    if remedy.kind == "diverged":
        return replace(found, source=_learning_rate(examined) or op.source)
    return found


def _learning_rate(examined: Examined) -> Source | None:
    """Where it stands: where the optimizer was made, or a parameter is updated by hand."""
    values = examined.tape.values
    by_hand = (
        op.source
        for op in examined.tape.ops
        for value in op.results
        if value in op.inputs and values[value].leaf and values[value].requires_grad
    )
    return examined.memory.of(Course).optimizer or next(by_hand, None)


def _said(cell: Cell) -> str:
    made = f"{cell.made:g}"
    shown = cell.operands if plain_name(cell.op) in _ARITHMETIC else cell.elements
    operands = [f"{operand:.6g}" for operand in shown if operand is not None]
    call = f"{cell.op.name}({', '.join(operands) or _extent(cell.op)})"
    if not cell.backward:
        return f"{call} is {made} at {cell.place}: the first in the forward pass"
    dy = "" if cell.dy is None else f", of the {cell.dy:.4g} that arrives there"
    return f"the gradient of {call} is {made} at {cell.place}{dy}: the first in the backward pass"


def _extent(op: Op) -> str:
    """``4×3 from -2.1 to 5e+30``, of the first tensor."""
    tensor = next(iter(tensors((op.args, dict(op.kwargs)))), None)
    if tensor is None or not tensor.numel() or tensor.is_complex():
        return "nothing" if tensor is None or not tensor.numel() else "…"
    shape = "×".join(map(str, tensor.shape)) or "scalar"
    return f"{shape} from {float(tensor.min()):.3g} to {float(tensor.max()):.3g}"


# Each cause answers None where it is not the one. They are asked in order.


def half_precision(examined: Examined, cell: Cell) -> Remedy | None:
    held = tensors(cell.op.args) if cell.backward else cell.op.outputs
    if not math.isinf(cell.made) or all(t.dtype is not torch.float16 for t in held):
        return None
    return REMEDIES["half-overflow"]


def masked_slope(examined: Examined, cell: Cell) -> Remedy | None:
    """A gradient of 0 times a slope that is infinite."""
    if not cell.backward or cell.dy != 0 or not math.isnan(cell.made):
        return None
    return REMEDIES["masked-nan"]


def logarithm(examined: Examined, cell: Cell) -> Remedy | None:
    if plain_name(cell.op) not in ("log", "log2", "log10", "log1p", "logit"):
        return None
    if cell.x < 0 and not math.isinf(cell.made):
        return REMEDIES["outside-domain"]
    maker = examined.flow.maker.get(cell.op.inputs[0])
    while maker is not None and plain_name(maker) in _CARRIED:
        maker = examined.flow.maker.get(maker.inputs[0])
    squashing = maker is not None and plain_name(maker) in ("softmax", "sigmoid", "softmin")
    return REMEDIES["log-of-softmax" if squashing else "log-of-zero"]


_CARRIED = frozenset(("__getitem__", "gather", "view", "reshape", "squeeze", "index_select", "rsub",
                      "__rsub__"))  # fmt: skip


def exponential(examined: Examined, cell: Cell) -> Remedy | None:
    if cell.backward or plain_name(cell.op) not in ("exp", "exp2", "expm1", "sinh", "cosh"):
        return None
    return REMEDIES["overflow"]


def slope(examined: Examined, cell: Cell) -> Remedy | None:
    """sqrt and its kin at 0, acos and asin at 1: a slope that is infinite."""
    name = plain_name(cell.op)
    if name in ("std", "std_mean"):
        return REMEDIES["infinite-slope" if cell.backward else "std-of-one"]
    if name in ("var", "var_mean") and not cell.backward:
        return REMEDIES["std-of-one"]
    if not cell.backward and name in ("sqrt", "acos", "asin", "atanh", "acosh", "pow"):
        return REMEDIES["outside-domain"] if math.isnan(cell.made) else None
    if cell.backward and name in ("sqrt", "acos", "asin", "acosh", "pow", "norm", "cdist"):
        return REMEDIES["infinite-slope"]
    return None


def division(examined: Examined, cell: Cell) -> Remedy | None:
    name, operands = plain_name(cell.op), cell.operands
    by = {"div": 1, "rdiv": 0, "reciprocal": 0, "rsqrt": 0, "fmod": 1, "remainder": 1}.get(name)
    if by is None or by >= len(operands) or operands[by] != 0:
        return None
    return REMEDIES["division-by-zero"]


def nothing_left(examined: Examined, cell: Cell) -> Remedy | None:
    """A mean over no elements."""
    if cell.backward or not math.isnan(cell.made):
        return None
    given = list(tensors((cell.op.args, dict(cell.op.kwargs))))
    if plain_name(cell.op) in ("mean", "cross_entropy", "nll_loss") and (
        any(tensor.numel() == 0 for tensor in given) or _all_ignored(cell.op, given)
    ):
        return REMEDIES["mean-of-nothing"]
    return None


def _all_ignored(op: Op, given: list[Tensor]) -> bool:
    ignored = op.kwargs.get("ignore_index", -100)
    whole = [tensor for tensor in given if not tensor.is_floating_point()]
    return bool(whole) and bool((whole[0] == ignored).all())


def masked_row(examined: Examined, cell: Cell) -> Remedy | None:
    """A softmax over a row in which everything is masked."""
    names = ("softmax", "log_softmax", "scaled_dot_product_attention")
    if cell.backward or plain_name(cell.op) not in names:
        return None
    return REMEDIES["masked-row"]


def too_large(examined: Examined, cell: Cell) -> Remedy | None:
    """Numbers that have grown until their product overflows."""
    given = [t for t in tensors((cell.op.args, dict(cell.op.kwargs))) if t.is_floating_point()]
    top = max((float(tensor.abs().max()) for tensor in given if tensor.numel()), default=0.0)
    if not 1e10 <= top < math.inf:
        return None
    return diverged(examined, f"; its operands reach {top:.2g}")


CAUSES: tuple[Callable[[Examined, Cell], Remedy | None], ...] = (
    half_precision,
    masked_slope,
    logarithm,
    exponential,
    slope,
    division,
    nothing_left,
    masked_row,
    too_large,
)


def diverged(examined: Examined, also: str) -> Remedy:
    """Growth, with the losses of the steps before as evidence."""
    course = examined.memory.of(Course).said
    return replace(REMEDIES["diverged"], also=also + (f"; {course}" if course else ""))


def spoilt_leaf(examined: Examined, op: Op, value: int, tensor: Tensor) -> Finding:
    """A leaf that is not finite when an op reads it: data, or a parameter."""
    known, bad = examined.tape.values[value], ~torch.isfinite(tensor)
    index = torch.nonzero(bad)[0].tolist()
    count = f"{int(bad.sum())} of {bad.numel()} elements"
    named = known.called or f"an input of {op.name}"
    message = f"{named} has {float(tensor[tuple(index)]):g} in {count}, first at {index}"
    writer = _writer(examined, op, value)
    if writer is not None:
        return _finding(examined, writer, diverged(examined, ""), message)
    remedy = REMEDIES["nan-in-parameter" if known.requires_grad else "nan-in-data"]
    return _finding(examined, op, remedy, message)


def _writer(examined: Examined, reader: Op, value: int) -> Op | None:
    """The last op that wrote to a value in place before it was read."""
    before = examined.tape.ops[: reader.index]
    return next((op for op in reversed(before) if value in op.results), None)


def spoilt_update(examined: Examined, update: Update) -> Finding:
    """An optimizer's step that made a finite parameter overflow."""
    remedy = diverged(examined, "")
    largest = float(update.grad.abs().max())
    lr = update.options.get("lr")
    message = (
        f"the update of {update.name or 'a parameter'} is not finite: its gradient reaches "
        f"{largest:.3g}, the learning rate is {lr}{remedy.also}"
    )
    source = _learning_rate(examined)
    return Finding(remedy.kind, Severity.ERROR, message, remedy.why, remedy.fix, source)
