"""Dropout: a random mask, drawn from the generator's state as it was when the op ran."""

import torch
import torch.nn.functional as F

from .registry import rule, sample


def dropout_samples(make):
    yield sample(make(2, 3), 0.4, True)
    yield sample(make(2, 3), 0.4, training=False)


@rule(F.dropout, torch.dropout, torch.dropout_, samples=dropout_samples)
def dropout(input, p=0.5, training=True, inplace=False):
    """Each element is 0 with probability p, else divided by 1 − p. So is its cotangent."""
    if training:
        mask = F.dropout(torch.ones_like(input), p)
        y = input * mask
    else:
        y = input

    def backward(dy):
        dinput = dy * mask if training else dy
        return dinput

    return y, backward
