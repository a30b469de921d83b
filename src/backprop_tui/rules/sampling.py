"""Random numbers: PyTorch lets no gradient through a draw.

A sample of torch.distributions that can be differentiated, ``rsample``, draws from a fixed
distribution and computes with what it drew; that is recorded as the ops it is made of.
"""

import torch
from torch import Tensor

from .registry import rule, sample


def probabilities(make):
    yield sample(make.positive(2, 3) / 2)


@rule(torch.bernoulli, Tensor.bernoulli, samples=probabilities)
def bernoulli(input, p=None, *, generator=None):
    """1 with the probability that the input says, else 0: a step wherever it moves at all."""
    chances = input if p is None else torch.full_like(input, p)
    y = torch.bernoulli(chances, generator=generator)

    def backward(dy):
        dinput = torch.zeros_like(dy)
        return dinput

    return y, backward


def normal_samples(make):
    yield sample(make(2, 3), make.positive(2, 3))
    yield sample(make(2, 3), 0.5)
    yield sample(0.5, make.positive(2, 3))


@rule(torch.normal, samples=normal_samples)
def normal(mean, std=1.0, size=None, *, generator=None, **options):
    """Normal numbers of a mean and a standard deviation.

    μ + σ·ε would have the slopes 1 and ε; PyTorch takes both as 0.
    """
    if size is None:
        y = torch.normal(mean, std, generator=generator)
    else:
        y = torch.normal(mean, std, size, generator=generator, **options)

    def backward(dy):
        dmean = torch.zeros_like(mean) if isinstance(mean, Tensor) else None
        dstd = torch.zeros_like(std) if isinstance(std, Tensor) else None
        return dmean, dstd

    return y, backward
