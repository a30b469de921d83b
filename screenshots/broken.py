"""A training step with a fault, for a picture of what the debugger says of it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

import backprop_tui as bp


class Square(torch.autograd.Function):
    """x², with half of its derivative."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x**2

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return dy * x


class Net(nn.Module):
    """Two layers, with a square between them."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(3, 4), nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.fc1(x)
        squared = Square.apply(hidden)
        out: Tensor = self.fc2(squared)
        return out


def tape() -> bp.Tape:
    """One training step of it, recorded."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model, x, y = Net(), torch.randn(2, 3), torch.randn(2, 5)
    with bp.record(model) as recorded:
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
    return recorded
