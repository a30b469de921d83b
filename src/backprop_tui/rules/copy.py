"""Copies of a tensor, and copies in another dtype: the cotangent goes back as it came."""

import torch
from torch import Tensor

from .broadcast import as_dtype
from .registry import rule, sample, spellings
from .samples import anywhere


@rule(
    *spellings("clone"),
    Tensor.contiguous,
    *spellings("positive", "resolve_conj", "resolve_neg", "alias_copy"),
    Tensor.cpu,
    samples=anywhere,
)
def clone(input, **options):
    """The same values in their own memory: y = x."""
    y = input.clone()

    def backward(dy):
        dinput = dy
        return dinput

    return y, backward
