"""The adjoint of broadcasting and of type promotion, written once."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def unbroadcast(cotangent: Tensor, argument: Any) -> Tensor | None:
    """The cotangent of `argument`, given that of `argument` broadcast to a larger shape.

    An element that was read many times receives the sum of what was asked of its copies.
    The result has the shape and dtype of `argument`: the real part where a real argument
    met a complex one, and None where `argument` is a number or holds integers.
    """
    if not isinstance(argument, Tensor) or not (
        argument.is_floating_point() or argument.is_complex()
    ):
        return None
    if cotangent.shape != argument.shape:
        cotangent = cotangent.sum_to_size(argument.shape)
    return as_dtype(cotangent, argument.dtype)


def as_dtype(cotangent: Tensor, dtype: torch.dtype) -> Tensor:
    """`cotangent` in `dtype`; of a complex one only the real part reaches a real argument."""
    if cotangent.is_complex() and not dtype.is_complex:
        cotangent = cotangent.real
    return cotangent.to(dtype)
