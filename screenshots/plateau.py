"""The first training step of `examples/plateau.py`, for the pictures of a hunt."""

from __future__ import annotations

import torch
from torch.nn import functional as F

import backprop_tui as bp
from examples.plateau import Net, spirals


def tape() -> bp.Tape:
    """One training step of it, recorded."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Net()
        points, arm = spirals(100)
    with bp.record(model) as recorded:
        F.cross_entropy(model(points), arm).backward()
    return recorded
