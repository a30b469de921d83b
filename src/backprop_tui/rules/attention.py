"""Scaled dot-product attention and dropout."""

import math

import torch
import torch.nn.functional as F

from .broadcast import unbroadcast
from .registry import rule, sample


def attention_samples(make):
    yield sample(make(2, 3, 4), make(2, 5, 4), make(2, 5, 6))
    yield sample(make(1, 2, 4, 3), make(1, 2, 4, 3), make(1, 2, 4, 3), is_causal=True)
    yield sample(make(2, 3, 4), make(2, 5, 4), make(2, 5, 6), attn_mask=make(3, 5), scale=0.3)
    yield sample(make(1, 4, 3, 2), make(1, 2, 3, 2), make(1, 2, 3, 2), enable_gqa=True)


@rule(F.scaled_dot_product_attention, samples=attention_samples)
def scaled_dot_product_attention(
    query,
    key,
    value,
    attn_mask=None,
    dropout_p=0.0,
    is_causal=False,
    scale=None,
    enable_gqa=False,
):
    """y = P·V with P = softmax(Q·Kᵀ/√d), row by row (Vaswani et al., 2017, arXiv:1706.03762).

    ∂L/∂V = Pᵀ·dy and dP = dy·Vᵀ; softmax gives dS = P·(dP − Σ dP·P); and from S = Q·Kᵀ/√d
    come ∂L/∂Q = dS·K/√d and ∂L/∂K = dSᵀ·Q/√d. What is masked has P = 0 and receives nothing.
    """
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    k = key
    v = value
    if enable_gqa:
        k = key.repeat_interleave(query.shape[-3] // key.shape[-3], -3)
        v = value.repeat_interleave(query.shape[-3] // value.shape[-3], -3)
    scores = query @ k.mT * scale
    if is_causal:
        allowed = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
        scores = scores.masked_fill(~allowed, -math.inf)
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        scores = scores.masked_fill(~attn_mask, -math.inf)
    elif attn_mask is not None:
        scores = scores + attn_mask
    weights = scores.softmax(-1)
    if attn_mask is not None:
        weights = torch.where(weights.isnan() & (scores == -math.inf), 0, weights)
    dropped = weights
    if dropout_p > 0:
        keep = F.dropout(torch.ones_like(weights), dropout_p)
        dropped = weights * keep
    y = dropped @ v

    def backward(dy):
        dmask = None
        dv = dropped.mT @ dy
        dweights = dy @ v.mT
        if dropout_p > 0:
            dweights = dweights * keep
        overlap = (dweights * weights).sum(-1, keepdim=True)
        dscores = weights * (dweights - overlap)
        if attn_mask is not None and attn_mask.dtype != torch.bool:
            dmask = unbroadcast(dscores, attn_mask)
        dquery = unbroadcast(dscores @ k * scale, query)
        dk = dscores.mT @ query * scale
        if enable_gqa:
            dk = dk.unflatten(-3, (key.shape[-3], -1)).sum(-3)
            dv = dv.unflatten(-3, (value.shape[-3], -1)).sum(-3)
        dkey = unbroadcast(dk, key)
        dvalue = unbroadcast(dv, value)
        return dquery, dkey, dvalue, dmask

    return y, backward
