"""Rules of one's own for autograd.Functions of transformers."""

from __future__ import annotations

import functools

import torch

import backprop_tui as bp


@functools.cache
def declare() -> None:
    """Declare them, once."""
    from transformers.models.bloom.modeling_bloom import GeLUFunction

    @bp.rule(GeLUFunction, samples=lambda make: [bp.sample(make(2, 3))])
    def bloom_gelu(input):
        """The tanh formula of gelu, y = x·(1 + tanh u)/2 with u = √(2/π)·(x + 0.044715·x³)."""
        u = 0.79788456 * input * (1 + 0.044715 * input * input)
        t = torch.tanh(u)
        y = input * 0.5 * (1 + t)

        def backward(dy):
            du = 0.79788456 * (1 + 3 * 0.044715 * input * input)
            slope = 0.5 * (1 + t) + 0.5 * input * (1 - t * t) * du
            dinput = dy * slope
            return dinput

        return y, backward
