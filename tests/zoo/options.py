"""What a model and its batch are made of: options that make it small, and random words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

Batch = dict[str, Any]
Options = Mapping[str, Any]

SMALL: Options = {
    "vocab_size": 60,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 32,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "num_labels": 5,
}


def options(*given: Options, **own: Any) -> Options:
    """Several sets of options as one; the later ones win. None leaves an option out."""
    merged: dict[str, Any] = {}
    for each in (*given, own):
        merged.update(each)
    return merged


def words(length: int = 12) -> Tensor:
    """Two sentences of words that mean nothing, none of them special."""
    return torch.randint(3, 60, (2, length))
