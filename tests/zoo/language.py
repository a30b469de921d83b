"""Language models: decoders, experts, state spaces, encoders, and encoders with decoders."""

from __future__ import annotations

from .options import Options, options

GROUPED = options(num_key_value_heads=2)
HEADS = options(GROUPED, head_dim=8)
SLIDING = options(HEADS, sliding_window=4)
GPT = options(n_embd=32, n_layer=2, n_head=4, n_positions=32)
EXPERTS = options(
    num_local_experts=4,
    num_experts=4,
    num_experts_per_tok=2,
    moe_intermediate_size=24,
    shared_expert_intermediate_size=24,
    output_router_logits=True,
)
LATENT = options(
    kv_lora_rank=8,
    q_lora_rank=8,
    v_head_dim=8,
    qk_nope_head_dim=8,
    qk_rope_head_dim=4,
    n_routed_experts=4,
    n_shared_experts=1,
    num_experts_per_tok=2,
    moe_intermediate_size=24,
    first_k_dense_replace=1,
    n_group=2,
    topk_group=1,
)
MAMBA2 = options(
    GROUPED,
    mamba_n_heads=4,
    mamba_d_head=16,
    mamba_d_state=8,
    mamba_chunk_size=4,
    mamba_d_ssm=64,
)

DECODERS: dict[str, Options] = {
    "GPT2LMHeadModel": GPT,
    "OpenAIGPTLMHeadModel": GPT,
    "GPTNeoForCausalLM": options(
        num_layers=2, num_heads=4, attention_types=[[["global", "local"], 1]], window_size=4
    ),
    "GPTNeoXForCausalLM": {},
    "GPTJForCausalLM": options(GPT, rotary_dim=4),
    "GPTBigCodeForCausalLM": GPT,
    "CodeGenForCausalLM": options(GPT, rotary_dim=4),
    "CTRLLMHeadModel": options(GPT, dff=48),
    "BloomForCausalLM": options(n_layer=2, n_head=4),
    "MptForCausalLM": options(d_model=32, n_heads=4, n_layers=2, max_seq_len=32),
    "FalconForCausalLM": {},
    "OPTForCausalLM": options(ffn_dim=48, word_embed_proj_dim=32),
    "XGLMForCausalLM": options(d_model=32, num_layers=2, attention_heads=4, ffn_dim=48),
    "XLNetLMHeadModel": options(
        d_model=32, n_layer=2, n_head=4, d_inner=48, max_position_embeddings=None
    ),
    "BioGptForCausalLM": {},
    "LlamaForCausalLM": GROUPED,
    "MistralForCausalLM": SLIDING,
    "MinistralForCausalLM": SLIDING,
    "Qwen2ForCausalLM": GROUPED,
    "Qwen3ForCausalLM": HEADS,
    "GemmaForCausalLM": HEADS,
    "Gemma2ForCausalLM": SLIDING,
    "Gemma3ForCausalLM": SLIDING,
    "PhiForCausalLM": {},
    "Phi3ForCausalLM": GROUPED,
    "StableLmForCausalLM": GROUPED,
    "Starcoder2ForCausalLM": GROUPED,
    "PersimmonForCausalLM": {},
    "CohereForCausalLM": GROUPED,
    "Cohere2ForCausalLM": options(GROUPED, sliding_window=4),
    "OlmoForCausalLM": GROUPED,
    "Olmo2ForCausalLM": GROUPED,
    "Olmo3ForCausalLM": options(GROUPED, sliding_window=4),
    "GraniteForCausalLM": GROUPED,
    "NemotronForCausalLM": GROUPED,
    "GlmForCausalLM": HEADS,
    "Glm4ForCausalLM": HEADS,
    "HeliumForCausalLM": HEADS,
    "SmolLM3ForCausalLM": GROUPED,
    "SeedOssForCausalLM": HEADS,
    "DiffLlamaForCausalLM": GROUPED,
    "Exaone4ForCausalLM": options(GROUPED, sliding_window=4),
    "ApertusForCausalLM": GROUPED,
    "ArceeForCausalLM": GROUPED,
    "BitNetForCausalLM": GROUPED,
    "NanoChatForCausalLM": GROUPED,
    "DogeForCausalLM": HEADS,
    "Ernie4_5ForCausalLM": HEADS,
    # Mixtures of experts.
    "MixtralForCausalLM": options(GROUPED, EXPERTS),
    "Qwen2MoeForCausalLM": options(GROUPED, EXPERTS),
    "Qwen3MoeForCausalLM": options(HEADS, EXPERTS),
    "OlmoeForCausalLM": options(GROUPED, EXPERTS),
    "FlexOlmoForCausalLM": options(GROUPED, EXPERTS),
    "GraniteMoeForCausalLM": options(GROUPED, EXPERTS),
    "JetMoeForCausalLM": options(EXPERTS, kv_channels=8),
    "DbrxForCausalLM": options(
        d_model=32,
        n_heads=4,
        n_layers=2,
        max_seq_len=32,
        ffn_config=options(hidden_size=32, ffn_hidden_size=24, moe_num_experts=4, moe_top_k=2),
        attn_config=options(kv_n_heads=2, clip_qkv=2.0, rope_theta=10000.0),
    ),
    "MiniMaxForCausalLM": options(HEADS, EXPERTS, block_size=4),
    "GptOssForCausalLM": options(SLIDING, EXPERTS),
    "DeepseekV2ForCausalLM": options(LATENT, n_group=1),
    "DeepseekV3ForCausalLM": LATENT,
    "Dots1ForCausalLM": options(HEADS, LATENT),
    "Glm4MoeForCausalLM": options(HEADS, LATENT),
    "Ernie4_5_MoeForCausalLM": options(HEADS, EXPERTS, moe_num_experts=4, moe_k=2),
    "HunYuanMoEV1ForCausalLM": options(HEADS, num_experts=4, moe_topk=2),
    # State spaces, linear attention and convolutions over time.
    "MambaForCausalLM": options(state_size=4),
    "FalconMambaForCausalLM": options(state_size=4),
    "Mamba2ForCausalLM": options(state_size=8, num_heads=4, head_dim=16, n_groups=1, chunk_size=4),
    "RwkvForCausalLM": options(attention_hidden_size=32, context_length=32),
    "JambaForCausalLM": options(
        GROUPED,
        EXPERTS,
        use_mamba_kernels=False,
        mamba_d_state=4,
        attn_layer_period=2,
        attn_layer_offset=1,
        expert_layer_period=2,
        expert_layer_offset=1,
    ),
    "BambaForCausalLM": options(MAMBA2, attn_layer_indices=[1]),
    "FalconH1ForCausalLM": MAMBA2,
    "Qwen3NextForCausalLM": options(
        HEADS,
        EXPERTS,
        linear_num_value_heads=4,
        linear_num_key_heads=2,
        linear_key_head_dim=8,
        linear_value_head_dim=8,
        layer_types=["linear_attention", "full_attention"],
    ),
    "Lfm2ForCausalLM": options(GROUPED, layer_types=["conv", "full_attention"]),
}

SPARSE = options(GROUPED, EXPERTS)
RECURRENT = options(lru_width=32, head_dim=8, attention_window_size=8, num_hidden_layers=3)
C2P = options(relative_attention=True, pos_att_type=["c2p", "p2c"])

ENCODERS: dict[str, Options] = {
    "BertForMaskedLM": {},
    "RobertaForMaskedLM": {},
    "CamembertForMaskedLM": {},
    "XLMRobertaForMaskedLM": {},
    "DistilBertForMaskedLM": options(dim=32, n_layers=2, n_heads=4, hidden_dim=48),
    "ElectraForMaskedLM": options(embedding_size=16),
    "AlbertForMaskedLM": options(embedding_size=16),
    "DebertaForMaskedLM": C2P,
    "DebertaV2ForMaskedLM": options(C2P, position_buckets=8, conv_kernel_size=3),
    "LongformerForMaskedLM": options(attention_window=4),
    "BigBirdForMaskedLM": options(block_size=1, num_random_blocks=1),
    "MPNetForMaskedLM": {},
    "MobileBertForMaskedLM": options(
        embedding_size=16, intra_bottleneck_size=16, true_hidden_size=16
    ),
    "FNetForMaskedLM": {},
    "ConvBertForMaskedLM": options(embedding_size=16, head_ratio=2, conv_kernel_size=3),
    "SqueezeBertForMaskedLM": options(embedding_size=32),
    "ModernBertForMaskedLM": options(local_attention=4, global_attn_every_n_layers=2),
    "RoFormerForMaskedLM": options(embedding_size=16),
    "NystromformerForMaskedLM": options(num_landmarks=4, segment_means_seq_len=12),
    "XLMWithLMHeadModel": options(emb_dim=32, n_layers=2, n_heads=4, n_langs=1),
    "RemBertForMaskedLM": options(input_embedding_size=16, output_embedding_size=16),
    "IBertForMaskedLM": options(quant_mode=False),
    "EsmForMaskedLM": options(mask_token_id=3),
    "FunnelForMaskedLM": options(
        block_sizes=[1, 1], d_model=32, n_head=4, d_head=8, d_inner=48, num_hidden_layers=None
    ),
    "ErnieForMaskedLM": {},
    "LukeForMaskedLM": options(entity_vocab_size=10, entity_emb_size=16),
    "XmodForMaskedLM": options(languages=["en_XX"], default_language="en_XX"),
    "MegatronBertForMaskedLM": {},
    "NomicBertForMaskedLM": {},
    "EuroBertForMaskedLM": GROUPED,
    "TapasForMaskedLM": {},
    "LayoutLMForMaskedLM": {},
}

T5 = options(d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4, decoder_start_token_id=0)
BART = options(
    d_model=32,
    encoder_layers=2,
    decoder_layers=2,
    encoder_attention_heads=4,
    decoder_attention_heads=4,
    encoder_ffn_dim=48,
    decoder_ffn_dim=48,
    decoder_start_token_id=2,
)

TRANSLATORS: dict[str, Options] = {
    "T5ForConditionalGeneration": T5,
    "MT5ForConditionalGeneration": T5,
    "UMT5ForConditionalGeneration": T5,
    "LongT5ForConditionalGeneration": options(T5, local_radius=3),
    "SwitchTransformersForConditionalGeneration": options(
        T5,
        num_experts=4,
        expert_capacity=8,
        num_sparse_encoder_layers=1,
        num_sparse_decoder_layers=1,
    ),
    "BartForConditionalGeneration": BART,
    "MBartForConditionalGeneration": BART,
    "PegasusForConditionalGeneration": BART,
    "MarianMTModel": BART,
    "BlenderbotForConditionalGeneration": BART,
    "M2M100ForConditionalGeneration": BART,
    "PLBartForConditionalGeneration": BART,
    "MvpForConditionalGeneration": BART,
    "PegasusXForConditionalGeneration": options(BART, num_global_tokens=2, block_size=4),
    "LEDForConditionalGeneration": options(
        BART,
        attention_window=4,
        max_encoder_position_embeddings=32,
        max_decoder_position_embeddings=32,
    ),
    "NllbMoeForConditionalGeneration": options(
        BART, num_experts=4, expert_capacity=8, encoder_sparse_step=2, decoder_sparse_step=2
    ),
    "ProphetNetForConditionalGeneration": options(
        num_encoder_layers=2,
        num_decoder_layers=2,
        num_encoder_attention_heads=4,
        num_decoder_attention_heads=4,
        encoder_ffn_dim=48,
        decoder_ffn_dim=48,
        decoder_start_token_id=0,
        num_hidden_layers=None,
    ),
}
