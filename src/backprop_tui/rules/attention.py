"""Scaled dot-product attention, with its masks, dropout and shared heads."""

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

    Q is …×L×d, K …×S×d and V …×S×e, so that y is …×L×e: a row of P, one for each query, has
    a weight for each of S keys.
    """
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    if enable_gqa:
        return grouped_attention(query, key, value, attn_mask, dropout_p, is_causal, scale)
    return attention(query, key, value, attn_mask, dropout_p, is_causal, scale)


def attention(query, key, value, attn_mask, dropout_p, is_causal, scale):
    """Attention of heads that have keys and values of their own.

    ∂L/∂V = Pᵀ·dy and dP = dy·Vᵀ; softmax gives dS = P·(dP − Σ dP·P); and from S = Q·Kᵀ/√d
    come ∂L/∂Q = dS·K/√d and ∂L/∂K = dSᵀ·Q/√d. What is masked has P = 0 and receives nothing.
    """
    scores = query @ key.mT * scale
    if attn_mask is not None and attn_mask.dtype != torch.bool:
        scores = scores + attn_mask
    elif is_causal or attn_mask is not None:
        scores = scores.masked_fill(hidden(scores, attn_mask), -math.inf)
    weights = scores.softmax(-1)
    if attn_mask is not None:
        weights = torch.where(weights.isnan() & (scores == -math.inf), 0, weights)
    dropped = weights
    if dropout_p > 0:
        keep = F.dropout(torch.ones_like(weights), dropout_p)
        dropped = weights * keep
    y = dropped @ value

    def backward(dy):
        dmask = None
        dvalue = unbroadcast(dropped.mT @ dy, value)
        dweights = dy @ value.mT
        if dropout_p > 0:
            dweights = dweights * keep
        overlap = (dweights * weights).sum(-1, keepdim=True)
        dscores = weights * (dweights - overlap)
        if attn_mask is not None and attn_mask.dtype != torch.bool:
            dmask = unbroadcast(dscores, attn_mask)
        dquery = unbroadcast(dscores @ key * scale, query)
        dkey = unbroadcast(dscores.mT @ query * scale, key)
        return dquery, dkey, dvalue, dmask

    return y, backward


def hidden(scores, attn_mask):
    """Where a query must not look: what the mask forbids, or without one what comes later."""
    if attn_mask is not None:
        return ~attn_mask
    return torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).triu(1)


def grouped_attention(query, key, value, attn_mask, dropout_p, is_causal, scale):
    """Attention of heads that share keys and values in groups: each is repeated for its group.

    So it receives the sum over those heads (Ainslie et al., 2023, arXiv:2305.13245).
    """
    k = key.repeat_interleave(query.shape[-3] // key.shape[-3], -3)
    v = value.repeat_interleave(query.shape[-3] // value.shape[-3], -3)
    y, attention_backward = attention(query, k, v, attn_mask, dropout_p, is_causal, scale)

    def backward(dy):
        dquery, dk, dv, dmask = attention_backward(dy)
        dkey = dk.unflatten(-3, (key.shape[-3], -1)).sum(-3)
        dvalue = dv.unflatten(-3, (value.shape[-3], -1)).sum(-3)
        return dquery, dkey, dvalue, dmask

    return y, backward
