"""The zoo of transformers' models: every parameter verified by rules alone, and no bit changed."""

from __future__ import annotations

import pytest
import torch

import backprop_tui as bp
from backprop_tui.compare import Verdict

from .zoo import ESTIMATORS, ZOO, built
from .zoo.trial import AUTOCAST, trial

pytest.importorskip(
    "transformers", reason='transformers is not installed: pip install -e ".[models]"'
)

WELL_KNOWN = (
    "GPT2LMHeadModel",
    "BertForMaskedLM",
    "LlamaForCausalLM",
    "MixtralForCausalLM",
    "T5ForConditionalGeneration",
    "ViTForImageClassification",
    "WhisperForConditionalGeneration",
    "Wav2Vec2ForCTC",
    "MambaForCausalLM",
)


def verified(*args, **options):
    complaints = list(trial(*args, **options).complaints())
    assert not complaints, "\n".join(complaints)


@pytest.mark.parametrize("name", ZOO)
def test_every_parameter_is_verified(name):
    """In training mode: with dropout, and the attention that the model prefers."""
    verified(name)


@pytest.mark.parametrize("name", WELL_KNOWN)
def test_without_dropout_and_with_attention_spelled_out(name):
    verified(name, training=False, attn_implementation="eager")


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float64, AUTOCAST])
@pytest.mark.parametrize("name", WELL_KNOWN)
def test_in_other_precisions(name, precision):
    if name == "MixtralForCausalLM" and precision is torch.float64:
        pytest.skip("torch multiplies the experts' matrices in 32 bits at most")
    verified(name, precision=precision)


@pytest.mark.parametrize(
    ("name", "seed"), [("CvtForImageClassification", 2), ("LevitForImageClassification", 1)]
)
def test_a_gradient_of_nothing_but_rounding(name, seed):
    """Biases that what follows takes out again: one of two right answers is 0 by luck."""
    verified(name, seed)


def test_a_weight_that_autocast_casts_once_for_several_ops():
    verified("AlbertForMaskedLM", precision=AUTOCAST)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_what_a_function_of_their_own_gives_is_not_called_verified(name):
    """Their backwards are estimates on purpose. All else is right, and the ops are named."""
    report = trial(name).report
    assert not report.ok and report.coverage.missing != ()
    others = [row for row in report.ops if row.op not in report.coverage.missing]
    assert all(row.isolated.rank < Verdict.UNVERIFIED.rank for row in others)


def test_padding_is_masked():
    model, batch = built("BertForMaskedLM")
    mask = torch.ones_like(batch["input_ids"])
    mask[1, 6:] = 0
    with bp.record(model) as tape:
        model(**batch, attention_mask=mask).loss.backward()
    assert tape.check().ok


def test_several_steps_with_an_optimizer_and_checkpoints():
    """Gradient checkpointing runs each block again in the backward pass."""
    model, batch = built("LlamaForCausalLM")
    model.gradient_checkpointing_enable({"use_reentrant": False})
    optimizer = torch.optim.AdamW(model.parameters())
    with bp.record(model) as tape:
        for _ in range(2):
            model(**batch).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    report = tape.check()
    assert report.ok and len(report.steps) == 2, f"\n{report}"
    assert report.coverage.missing == () and report.coverage.unseen == ()
