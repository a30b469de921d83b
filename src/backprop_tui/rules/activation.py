"""The activations of torch.nn.functional with a kink or a bend at zero."""

import torch
import torch.nn.functional as F

from .registry import rule, sample, spellings
from .samples import anywhere


@rule(*spellings("relu"), F.relu, F.relu_, samples=anywhere)
def relu(input, inplace=False):
    """Rectified linear unit, y = max(0, x). The derivative at 0 is taken as 0."""
    mask = input > 0
    if input.isnan().any():  # PyTorch lets NaN through, both ways
        mask = mask | input.isnan()
    y = torch.where(mask, input, 0)

    def backward(dy):
        dinput = torch.where(mask, dy, 0)
        return dinput

    return y, backward
