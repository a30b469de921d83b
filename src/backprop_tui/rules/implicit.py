"""What autograd does without being called: a write into a view, as the view's base sees it."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from .registry import Make, rule, sample


def write_through(
    base: Tensor, part: Tensor, size: tuple[int, ...], stride: tuple[int, ...], offset: int
) -> Tensor:
    """`base` with `part` written into its view of that geometry."""
    written = base.clone()
    written.as_strided(size, stride, offset).copy_(part)
    return written


def windows(make: Make) -> Any:
    yield sample(make(3, 4), make(2, 2), (2, 2), (4, 1), 1)
    yield sample(make(6), make(3), (3,), (2,), 0)


# torch.as_strided_scatter is the same function, but torch 2.13 differentiates it wrongly
# with respect to its first argument: it keeps the cotangent inside the window, not outside.
@rule(write_through, samples=windows)
def write_through_view(base, part, size, stride, offset):
    """A write into a view of `base`: inside the view the new part, outside the base as it was.

    The cotangent goes the same ways: what comes to the window belongs to the part.
    """
    y = write_through(base, part, size, stride, offset)

    def backward(dy):
        dpart = dy.contiguous().as_strided(size, stride, offset).clone()
        dbase = write_through(dy, part.new_zeros(()), size, stride, offset)
        return dbase, dpart

    return y, backward
