"""Models of Hugging Face's transformers, tiny and random: every parameter by rules alone.

They need the optional group ``models``; `make` installs it.
"""

from __future__ import annotations

import pytest
import torch

import backprop_tui as bp
from backprop_tui.report import AGREED

transformers = pytest.importorskip(
    "transformers", reason='transformers is not installed: pip install -e ".[models]"'
)

SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
LLAMA = {**SIZES, "intermediate_size": 48, "num_key_value_heads": 2}


def gpt2(**options):
    config = transformers.GPT2Config(
        vocab_size=60, n_positions=24, n_embd=32, n_layer=2, n_head=4, **options
    )
    return transformers.GPT2LMHeadModel(config)


def bert(**options):
    config = transformers.BertConfig(
        vocab_size=60, max_position_embeddings=24, intermediate_size=48, **SIZES, **options
    )
    return transformers.BertForMaskedLM(config)


def llama(**options):
    config = transformers.LlamaConfig(vocab_size=60, max_position_embeddings=24, **LLAMA, **options)
    return transformers.LlamaForCausalLM(config)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("build", [gpt2, bert, llama])
def test_every_parameter_is_verified(build, training, attention):
    model = build(attn_implementation=attention).train(training)
    ids = torch.randint(60, (2, 11))
    with bp.record(model) as tape:
        model(input_ids=ids, labels=ids).loss.backward()
    report = tape.check()
    assert report.ok, f"\n{report}"
    assert report.coverage.missing == () and report.coverage.unseen == ()
    assert {row.name for row in report.parameters} == {n for n, _ in model.named_parameters()}
    assert all(row.isolated in AGREED for row in report.ops), report.ops


def test_padding_is_masked():
    model, ids = bert(), torch.randint(60, (2, 11))
    mask = torch.ones_like(ids)
    mask[1, 6:] = 0
    with bp.record(model) as tape:
        model(input_ids=ids, attention_mask=mask, labels=ids).loss.backward()
    assert tape.check().ok


def test_in_bfloat16():
    model, ids = llama().to(torch.bfloat16), torch.randint(60, (2, 11))
    with bp.record(model) as tape:
        model(input_ids=ids, labels=ids).loss.backward()
    report = tape.check()
    assert report.ok, f"\n{report}"
