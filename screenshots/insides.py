"""Training steps of one op each, for pictures of the derivation inside it."""

from __future__ import annotations

import torch
from torch.nn import functional as F

import backprop_tui as bp
from backprop_tui.rules.registry import Make


def numbers() -> Make:
    """Random tensors to learn, the same each time."""
    return Make(torch.float32, requires_grad=True)


def softmax() -> bp.Tape:
    """Three classes for each of two examples."""
    logits = numbers()(2, 3)
    with bp.record() as tape:
        y = F.softmax(logits, dim=-1)
        y.square().sum().backward()
    return tape


def layer_norm() -> bp.Tape:
    """Two rows of four features."""
    make = numbers()
    x, weight, bias = make(2, 4), make(4), make(4)
    with bp.record() as tape:
        y = F.layer_norm(x, (4,), weight, bias)
        y.square().sum().backward()
    return tape


def attention() -> bp.Tape:
    """Three tokens, each looking at itself and those before it."""
    make = numbers()
    query, key, value = make(3, 4), make(3, 4), make(3, 4)
    with bp.record() as tape:
        y = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        y.square().sum().backward()
    return tape


def lstm_cell() -> bp.Tape:
    """One step in time of two units that see three features."""
    make = numbers()
    x, h, c = make(1, 3), make(1, 2), make(1, 2)
    w_ih, w_hh = make(8, 3), make(8, 2)
    with bp.record() as tape:
        new_h, new_c = torch.lstm_cell(x, (h, c), w_ih, w_hh)
        (new_h + new_c).square().sum().backward()
    return tape
