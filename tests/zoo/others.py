"""Models that need a configuration or a batch of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from .options import Batch, Options, options, words

TOWER = options(
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=4,
    vocab_size=60,
    max_position_embeddings=32,
    pad_token_id=0,
    bos_token_id=1,
    eos_token_id=2,
)
EYE = options(TOWER, image_size=32, patch_size=8)
BACKBONE = options(
    model_type="resnet",
    embedding_size=8,
    hidden_sizes=[8, 16],
    depths=[1, 1],
    out_features=["stage1", "stage2"],
)
DETECTOR = options(
    d_model=16,
    encoder_layers=1,
    decoder_layers=1,
    encoder_attention_heads=2,
    decoder_attention_heads=2,
    encoder_ffn_dim=24,
    decoder_ffn_dim=24,
    num_queries=5,
    use_timm_backbone=False,
    use_pretrained_backbone=False,
    backbone_config=BACKBONE,
)
SERIES = options(
    prediction_length=4,
    context_length=8,
    lags_sequence=[1, 2],
    num_time_features=1,
    d_model=16,
    encoder_layers=1,
    decoder_layers=1,
    encoder_attention_heads=2,
    decoder_attention_heads=2,
    encoder_ffn_dim=24,
    decoder_ffn_dim=24,
)


def picture(side: int = 32, *before: int) -> Tensor:
    return torch.randn(2, *before, 3, side, side)


def pair(options: Options) -> Batch:
    return {"input_ids": words(), "pixel_values": picture(), "return_loss": True}


def answer(options: Options) -> Batch:
    ids = words()
    return {"input_ids": ids, "pixel_values": picture(), "labels": ids}


def future(options: Options) -> Batch:
    return {
        "past_values": torch.randn(2, 10),
        "past_time_features": torch.randn(2, 10, 1),
        "past_observed_mask": torch.ones(2, 10),
        "future_values": torch.randn(2, 4),
        "future_time_features": torch.randn(2, 4, 1),
    }


OTHERS: Mapping[str, tuple[Options, Callable[[Options], Batch]]] = {
    "CLIPModel": (options(text_config=TOWER, vision_config=EYE, projection_dim=16), pair),
    "SiglipModel": (options(text_config=TOWER, vision_config=EYE), pair),
    "ChineseCLIPModel": (options(text_config=TOWER, vision_config=EYE, projection_dim=16), pair),
    "BlipForConditionalGeneration": (
        options(text_config=TOWER, vision_config=EYE, projection_dim=16),
        answer,
    ),
    "WhisperForConditionalGeneration": (
        options(
            d_model=32,
            encoder_layers=2,
            decoder_layers=2,
            encoder_attention_heads=4,
            decoder_attention_heads=4,
            encoder_ffn_dim=48,
            decoder_ffn_dim=48,
            num_mel_bins=8,
            max_source_positions=10,
            max_target_positions=16,
            decoder_start_token_id=1,
        ),
        lambda _: {"input_features": torch.randn(2, 8, 20), "labels": words(7)},
    ),
    "Speech2TextForConditionalGeneration": (
        options(
            d_model=32,
            encoder_layers=2,
            decoder_layers=2,
            encoder_attention_heads=4,
            decoder_attention_heads=4,
            encoder_ffn_dim=48,
            decoder_ffn_dim=48,
            input_feat_per_channel=8,
            conv_channels=16,
            max_source_positions=40,
            max_target_positions=16,
            decoder_start_token_id=1,
        ),
        lambda _: {"input_features": torch.randn(2, 20, 8), "labels": words(7)},
    ),
    "ASTForAudioClassification": (
        options(num_mel_bins=16, max_length=32, patch_size=8, frequency_stride=8, time_stride=8),
        lambda _: {"input_values": torch.randn(2, 32, 16), "labels": torch.randint(5, (2,))},
    ),
    "ViTMAEForPreTraining": (
        options(
            image_size=32,
            patch_size=8,
            decoder_hidden_size=16,
            decoder_num_hidden_layers=1,
            decoder_num_attention_heads=2,
            decoder_intermediate_size=24,
        ),
        lambda _: {"pixel_values": picture()},
    ),
    "ViTForMaskedImageModeling": (
        options(image_size=32, patch_size=8, encoder_stride=8),
        lambda _: {"pixel_values": picture(), "bool_masked_pos": torch.rand(2, 16) > 0.5},
    ),
    "VideoMAEForVideoClassification": (
        options(image_size=16, patch_size=8, num_frames=4, tubelet_size=2),
        lambda _: {"pixel_values": picture(16, 4), "labels": torch.randint(5, (2,))},
    ),
    "TimesformerForVideoClassification": (
        options(image_size=16, patch_size=8, num_frames=4),
        lambda _: {"pixel_values": picture(16, 4), "labels": torch.randint(5, (2,))},
    ),
    "SegformerForSemanticSegmentation": (
        options(
            num_encoder_blocks=2,
            depths=[1, 1],
            sr_ratios=[2, 1],
            hidden_sizes=[8, 16],
            patch_sizes=[7, 3],
            strides=[4, 2],
            num_attention_heads=[1, 2],
            mlp_ratios=[2, 2],
            decoder_hidden_size=16,
            hidden_size=None,
        ),
        lambda _: {"pixel_values": picture(), "labels": torch.randint(5, (2, 32, 32))},
    ),
    "DPTForDepthEstimation": (
        options(
            image_size=32,
            patch_size=8,
            num_hidden_layers=4,
            backbone_out_indices=[0, 1, 2, 3],
            neck_hidden_sizes=[8, 8, 8, 8],
            fusion_hidden_size=8,
        ),
        lambda _: {"pixel_values": picture()},
    ),
    "DetrForObjectDetection": (DETECTOR, lambda _: {"pixel_values": picture(64)}),
    "ConditionalDetrForObjectDetection": (DETECTOR, lambda _: {"pixel_values": picture(64)}),
    "DeformableDetrForObjectDetection": (
        options(
            DETECTOR,
            decoder_layers=2,
            num_feature_levels=2,
            encoder_n_points=2,
            decoder_n_points=2,
        ),
        lambda _: {"pixel_values": picture(64)},
    ),
    "YolosForObjectDetection": (
        options(image_size=[32, 32], patch_size=8, num_detection_tokens=5),
        lambda _: {"pixel_values": picture()},
    ),
    "PatchTSTForPrediction": (
        options(
            num_input_channels=2,
            context_length=16,
            patch_length=4,
            patch_stride=4,
            prediction_length=4,
            d_model=16,
            ffn_dim=24,
        ),
        lambda _: {"past_values": torch.randn(3, 16, 2), "future_values": torch.randn(3, 4, 2)},
    ),
    "PatchTSMixerForPrediction": (
        options(
            num_input_channels=2,
            context_length=16,
            patch_length=4,
            patch_stride=4,
            prediction_length=4,
            d_model=8,
            num_layers=2,
        ),
        lambda _: {"past_values": torch.randn(3, 16, 2), "future_values": torch.randn(3, 4, 2)},
    ),
    "TimeSeriesTransformerForPrediction": (SERIES, future),
    "InformerForPrediction": (SERIES, future),
    "DacModel": (
        options(
            encoder_hidden_size=4,
            downsampling_ratios=[2, 2],
            decoder_hidden_size=16,
            upsampling_ratios=[2, 2],
            n_codebooks=2,
            codebook_size=16,
            codebook_dim=4,
            hidden_size=16,
        ),
        lambda _: {"input_values": torch.randn(2, 1, 64)},
    ),
    "PerceiverForMaskedLM": (
        options(
            d_model=32,
            d_latents=16,
            num_latents=4,
            num_self_attends_per_block=2,
            num_self_attention_heads=2,
            num_cross_attention_heads=2,
            qk_channels=16,
            v_channels=16,
            max_position_embeddings=12,
        ),
        lambda _: {"inputs": words(), "labels": words()},
    ),
    "CanineForSequenceClassification": (
        options(
            num_hash_buckets=20,
            num_hash_functions=2,
            local_transformer_stride=4,
            downsampling_rate=2,
            upsampling_kernel_size=2,
        ),
        lambda _: {"input_ids": words(), "labels": torch.randint(5, (2,))},
    ),
    "ViltForQuestionAnswering": (
        options(image_size=32, patch_size=8, modality_type_vocab_size=3),
        lambda _: {
            "input_ids": words(),
            "pixel_values": picture(),
            "pixel_mask": torch.ones(2, 32, 32, dtype=torch.long),
            "labels": torch.rand(2, 5),
        },
    ),
    "DecisionTransformerModel": (
        options(state_dim=3, act_dim=2, n_layer=2, n_head=4, n_positions=64, max_ep_len=20),
        lambda _: {
            "states": torch.randn(2, 4, 3),
            "actions": torch.randn(2, 4, 2),
            "returns_to_go": torch.randn(2, 4, 1),
            "timesteps": torch.arange(4).repeat(2, 1),
            "attention_mask": torch.ones(2, 4),
        },
    ),
}
