"""Models of Hugging Face's transformers, small and random, each with a batch to train on.

They need the optional group ``models``; `make` installs it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from . import functions, language, others, sights
from .options import SMALL, Batch, Options, words

ESTIMATORS: Mapping[str, Options] = {
    "PhimoeForCausalLM": language.SPARSE,
    "RecurrentGemmaForCausalLM": language.RECURRENT,
    "YosoForMaskedLM": {},
}
"""Models with an autograd.Function whose backward is no derivative, and is not meant to be."""


def text(options: Options) -> Batch:
    ids = words()
    return {"input_ids": ids, "labels": ids}


def translation(options: Options) -> Batch:
    return {"input_ids": words(), "labels": words(7)}


def pictures(options: Options) -> Batch:
    size = options.get("image_size", 32)
    side = size if isinstance(size, int) else size[0]
    return {"pixel_values": torch.randn(2, 3, side, side), "labels": torch.randint(5, (2,))}


def speech(options: Options) -> Batch:
    return {"input_values": torch.randn(2, 400), "labels": words(4)}


Entry = tuple[Options, Callable[[Options], Batch]]
KINDS: Mapping[str, Mapping[str, Entry]] = {
    "Decoders": {name: (own, text) for name, own in language.DECODERS.items()},
    "Encoders": {name: (own, text) for name, own in language.ENCODERS.items()},
    "Translators": {name: (own, translation) for name, own in language.TRANSLATORS.items()},
    "Pictures": {name: (own, pictures) for name, own in sights.CLASSIFIERS.items()},
    "Speech": {name: (own, speech) for name, own in sights.LISTENERS.items()},
    "Others": others.OTHERS,
}
ZOO: Mapping[str, Entry] = {name: entry for kind in KINDS.values() for name, entry in kind.items()}


def built(name: str, seed: int = 0, **more: Any) -> tuple[nn.Module, Batch]:
    """A model and its batch: for the same seed the same ones, and the same draws after."""
    import transformers

    functions.declare()
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    own, batch = ZOO[name] if name in ZOO else (ESTIMATORS[name], text)
    given = {key: item for key, item in {**SMALL, **own, **more}.items() if item is not None}
    model = getattr(transformers, name)
    return model(model.config_class(**given)), batch(own)


def loss_of(output: Any) -> Tensor:
    """The model's own loss, or else the mean square of all that it answers."""
    if output.get("loss") is not None:
        own: Tensor = output["loss"].mean()
        return own
    answers = [item for item in output.values() if isinstance(item, Tensor) and item.requires_grad]
    return torch.stack([item.float().square().mean() for item in answers]).sum()
