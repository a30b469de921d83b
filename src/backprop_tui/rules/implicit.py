"""What autograd does without being called, where a view and its base share memory.

A window is a view's (size, stride, offset) in the memory of its base, and a layout the strides
of that base: with them the same elements are met again wherever else the base may lie.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .registry import Make, rule, sample

Window = tuple[tuple[int, ...], tuple[int, ...], int]


def laid_out(base: Tensor, layout: tuple[int, ...]) -> Tensor:
    """A copy of `base` whose memory has these strides."""
    memory = torch.empty_strided(base.shape, layout, dtype=base.dtype, device=base.device)
    return memory.copy_(base)


def look_again(base: Tensor, layout: tuple[int, ...], window: Window) -> Tensor:
    """What a window shows of `base`."""
    return laid_out(base, layout).as_strided(*window)


def write_through(base: Tensor, part: Tensor, layout: tuple[int, ...], window: Window) -> Tensor:
    """`base` with `part` written into a window."""
    written = laid_out(base, layout)
    written.as_strided(*window).copy_(part)
    return written


def views(make: Make) -> Any:
    yield sample(make(3, 4), (4, 1), ((2, 2), (4, 1), 1))
    yield sample(make(3, 4), (1, 3), ((4,), (3,), 1))
    yield sample(make(3), (1,), ((2, 3), (0, 1), 0))


@rule(look_again, samples=views)
def view_again(base, layout, window):
    """A view of `base` made anew: the base was written to after the view had been taken.

    The cotangent goes back to where the view reads, and adds up where it reads twice.
    """
    y = look_again(base, layout, window)

    def backward(dy):
        elements = torch.arange(base.numel(), device=base.device).reshape(base.shape)
        read = look_again(elements, layout, window)
        dbase = dy.new_zeros(base.numel()).index_add(0, read.flatten(), dy.flatten())
        dbase = dbase.reshape(base.shape)
        return dbase

    return y, backward


def writes(make: Make) -> Any:
    yield sample(make(3, 4), make(2, 2), (4, 1), ((2, 2), (4, 1), 1))
    yield sample(make(3, 4), make(4), (1, 3), ((4,), (3,), 1))
    yield sample(make(6), make(3), (1,), ((3,), (2,), 0))


@rule(write_through, samples=writes)
def write_through_view(base, part, layout, window):
    """A write into a view of `base`: in the window the new part, elsewhere the base as it was.

    The cotangent goes the same ways: what comes to the window belongs to the part.
    """
    y = write_through(base, part, layout, window)

    def backward(dy):
        dpart = look_again(dy, layout, window)
        dbase = write_through(dy, torch.zeros_like(dpart), layout, window)
        return dbase, dpart

    return y, backward
