"""Models that see and hear: pictures, waveforms, and pictures with words."""

from __future__ import annotations

from .options import Options, options

PATCHES = options(image_size=32, patch_size=8)
STAGES = options(
    hidden_sizes=[8, 16],
    depths=[1, 1],
    hidden_size=None,
    num_hidden_layers=None,
    num_attention_heads=None,
)
SHIFTED = options(
    STAGES,
    image_size=32,
    patch_size=4,
    window_size=4,
    embed_dim=8,
    depths=[2, 2],
    num_heads=[2, 2],
    hidden_sizes=None,
)
PYRAMID = options(
    STAGES,
    num_encoder_blocks=2,
    sr_ratios=[2, 1],
    num_attention_heads=[1, 2],
    mlp_ratios=[2, 2],
    strides=[4, 2],
)

CLASSIFIERS: dict[str, Options] = {
    "ViTForImageClassification": PATCHES,
    "DeiTForImageClassification": PATCHES,
    "BeitForImageClassification": PATCHES,
    "Data2VecVisionForImageClassification": PATCHES,
    "ViTMSNForImageClassification": PATCHES,
    "IJepaForImageClassification": PATCHES,
    "Dinov2ForImageClassification": PATCHES,
    "ConvNextForImageClassification": options(STAGES, num_stages=2),
    "ConvNextV2ForImageClassification": options(STAGES, num_stages=2),
    "SwinForImageClassification": SHIFTED,
    "Swinv2ForImageClassification": SHIFTED,
    "ResNetForImageClassification": options(STAGES, embedding_size=8),
    "RegNetForImageClassification": options(STAGES, embedding_size=8, groups_width=4),
    "BitForImageClassification": options(STAGES, embedding_size=32, hidden_sizes=[128, 128]),
    "MobileNetV1ForImageClassification": options(depth_multiplier=0.25, min_depth=8),
    "MobileNetV2ForImageClassification": options(depth_multiplier=0.25),
    "MobileViTForImageClassification": options(
        image_size=32,
        hidden_sizes=[16, 24, 32],
        num_attention_heads=2,
        neck_hidden_sizes=[8, 8, 16, 16, 24, 24, 32],
    ),
    "MobileViTV2ForImageClassification": options(image_size=64, width_multiplier=0.25),
    "EfficientNetForImageClassification": options(
        image_size=32,
        width_coefficient=0.25,
        depth_coefficient=0.1,
        hidden_dim=320,
        hidden_size=None,
        pooling_type="mean",
    ),
    "SegformerForImageClassification": options(PYRAMID, patch_sizes=[7, 3]),
    "PvtForImageClassification": options(
        PYRAMID, image_size=32, patch_sizes=[4, 2], sequence_reduction_ratios=[2, 1]
    ),
    "CvtForImageClassification": options(
        embed_dim=[8, 16, 16], num_heads=[1, 2, 2], depth=[1, 2, 3]
    ),
    "FocalNetForImageClassification": options(
        image_size=32,
        patch_size=4,
        embed_dim=8,
        depths=[1, 1],
        focal_levels=[1, 1],
        focal_windows=[3, 3],
    ),
    "PoolFormerForImageClassification": options(
        STAGES, patch_sizes=[7, 3], strides=[4, 2], padding=[2, 1], num_encoder_blocks=2
    ),
    "HieraForImageClassification": options(
        image_size=[32, 32],
        patch_size=[4, 4],
        patch_stride=[4, 4],
        patch_padding=[0, 0],
        embed_dim=8,
        depths=[1, 1, 1],
        num_heads=[1, 1, 2],
        masked_unit_size=[4, 4],
        num_query_pool=2,
    ),
    "SwiftFormerForImageClassification": options(
        image_size=64, depths=[1, 1], embed_dims=[8, 16], downsamples=[True, True]
    ),
    "LevitForImageClassification": options(
        image_size=64,
        hidden_sizes=[16, 16, 16],
        num_attention_heads=[2, 2, 2],
        depths=[1, 1, 1],
        key_dim=[4, 4, 4],
    ),
    "HGNetV2ForImageClassification": options(
        embedding_size=8,
        hidden_sizes=[16] * 4,
        stem_channels=[3, 8, 8],
        stage_in_channels=[8, 16, 16, 16],
        stage_mid_channels=[8] * 4,
        stage_out_channels=[16] * 4,
        stage_num_blocks=[1] * 4,
        stage_numb_of_layers=[2] * 4,
        depths=[1] * 4,
    ),
}

EARS = options(
    conv_dim=[8, 8],
    conv_kernel=[10, 3],
    conv_stride=[5, 2],
    num_feat_extract_layers=2,
    num_conv_pos_embeddings=4,
    num_conv_pos_embedding_groups=2,
    ctc_loss_reduction="mean",
    mask_time_length=2,
)

LISTENERS: dict[str, Options] = {
    "Wav2Vec2ForCTC": EARS,
    "HubertForCTC": EARS,
    "WavLMForCTC": options(EARS, num_buckets=16, max_bucket_distance=16),
    "UniSpeechForCTC": EARS,
    "UniSpeechSatForCTC": EARS,
    "Data2VecAudioForCTC": options(EARS, conv_pos_kernel_size=3, num_conv_pos_embeddings=2),
    "SEWForCTC": options(EARS, squeeze_factor=2),
    "Wav2Vec2ConformerForCTC": options(EARS, conv_depthwise_kernel_size=3),
}
