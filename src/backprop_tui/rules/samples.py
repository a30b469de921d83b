"""Sample inputs that whole families of rules share."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from .registry import Make, Sample, sample


def anywhere(make: Make) -> Iterator[Sample]:
    """One matrix of normal numbers."""
    yield sample(make(2, 3))


def positive(make: Make) -> Iterator[Sample]:
    """One matrix of numbers in [0.5, 2)."""
    yield sample(make.positive(2, 3))


def inside_one(make: Make) -> Iterator[Sample]:
    """One matrix of numbers in (-1, 1)."""
    yield sample(make(2, 3).tanh())


def pairs(make: Make) -> Iterator[Sample]:
    """Two tensors of equal shape, then broadcasting ones, then a number."""
    yield sample(make(2, 3), make(2, 3))
    yield sample(make(2, 1), make(3))
    yield sample(make(2, 3), 2.5)


def positive_pairs(make: Make) -> Iterator[Sample]:
    """As `pairs`, of numbers in [0.5, 2)."""
    yield sample(make.positive(2, 3), make.positive(2, 3))
    yield sample(make.positive(2, 1), make.positive(3))


def reductions(make: Make) -> Iterator[Sample]:
    """A tensor reduced whole, over one dimension, and over two that are kept."""
    yield sample(make(2, 3, 4))
    yield sample(make(2, 3, 4), 1)
    yield sample(make(2, 3, 4), dim=(0, -1), keepdim=True)


def complex_normal(make: Make, *shape: int) -> Tensor:
    """Complex numbers with a normal real and imaginary part."""
    return torch.complex(make(*shape), make(*shape))


def real_or_complex(make: Make) -> Iterator[Sample]:
    """A matrix of complex numbers, then one of real ones."""
    yield sample(complex_normal(make, 2, 3))
    yield sample(make(2, 3))
