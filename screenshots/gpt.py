"""A training step of a small GPT, for pictures of a model larger than the lesson's."""

from __future__ import annotations

import torch

import backprop_tui as bp
from tests.models import GPT


def tape() -> bp.Tape:
    """One training step of it, recorded."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model, ids = GPT(), torch.randint(0, 50, (2, 9))
        with bp.record(model) as recorded:
            model.loss(ids).backward()
    return recorded
