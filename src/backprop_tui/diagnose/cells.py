"""The cell in which a number stopped being one, with what the op had there."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..tape import Op, tensors


@dataclass(frozen=True)
class Cell:
    """Where an op made a NaN or inf.

    Attributes:
        index: in its output, or for a backward pass in the input whose gradient it is.
        operands: every number given, and of every tensor the element at that index, None where
            it has none; `elements` are those of the tensors alone.
        dy: in a backward pass, the cotangent that arrived there, None if there is no one.
    """

    op: Op
    index: tuple[int, ...]
    made: float
    operands: tuple[float | None, ...]
    elements: tuple[float | None, ...]
    backward: bool = False
    dy: float | None = None

    @property
    def x(self) -> float:
        """The first operand, NaN if it is no element."""
        first = self.operands[0] if self.operands else None
        return math.nan if first is None else first

    @property
    def place(self) -> str:
        """``[3, 1]``"""
        return f"[{', '.join(map(str, self.index))}]"


def is_finite(tensor: Tensor) -> bool:
    """Whether all elements are; one pass, most of the time."""
    if not (tensor.is_floating_point() or tensor.is_complex()):
        return True
    return bool(torch.isfinite(tensor.sum())) or bool(torch.isfinite(tensor).all())


def has_nan(tensor: Tensor) -> bool:
    """Whether an element is NaN."""
    return not is_finite(tensor) and bool(torch.isnan(tensor).any())


def forward_cell(op: Op, output: Tensor) -> Cell:
    """The first element of an output that is not finite, NaN before inf."""
    index = _first(output)
    return Cell(op, index, float(output[index]), *_operands(op, output.shape, index))


def backward_cell(op: Op, input: Tensor, gradient: Tensor, incoming: Tensor | None) -> Cell:
    """The first element of an input whose gradient is not finite."""
    index = _first(gradient)
    dy = None if incoming is None else _element(incoming, input.shape, index)
    made = float(gradient[index])
    return Cell(op, index, made, *_operands(op, input.shape, index), backward=True, dy=dy)


def _first(tensor: Tensor) -> tuple[int, ...]:
    wrong = torch.isnan(tensor)
    if not wrong.any():
        wrong = ~torch.isfinite(tensor)
    return tuple(torch.nonzero(wrong)[0].tolist())


def _operands(
    op: Op, shape: torch.Size, index: tuple[int, ...]
) -> tuple[tuple[float | None, ...], tuple[float | None, ...]]:
    """Every number and element, and the elements alone."""
    found: list[float | None] = []
    elements: list[float | None] = []
    for argument in (*op.args, *op.kwargs.values()):
        if isinstance(argument, (int, float)):
            found.append(float(argument))
        for tensor in tensors(argument):
            elements.append(_element(tensor, shape, index))
            found.append(elements[-1])
    return tuple(found), tuple(elements)


def _element(tensor: Tensor, shape: torch.Size, index: tuple[int, ...]) -> float | None:
    pairs = zip(reversed(tensor.shape), reversed(shape), strict=False)
    if tensor.dim() > len(shape) or any(size not in (1, length) for size, length in pairs):
        return None
    return float(tensor.expand(shape)[index].real)
