"""Normalisations: each group of numbers is brought to mean 0 and variance 1.

With n numbers in a group, x̂ = (x − μ)·r and r = 1/√(σ² + ε), all share one derivation
(Ioffe and Szegedy, 2015, arXiv:1502.03167):

    ∂L/∂x = r·(dx̂ − mean(dx̂) − x̂·mean(dx̂·x̂))

The two means are projections: moving all of x alike, or stretching it, changes nothing in
x̂, so those directions of dx̂ are taken out.
"""

import math

import torch
import torch.nn.functional as F

from .broadcast import as_dtype, unbroadcast
from .registry import rule, sample


def over_all_but(input, dim):
    """All dimensions but one."""
    return [d for d in range(input.dim()) if d != dim]


def along(vector, input, dim=1):
    """A vector shaped to run along one dimension of `input` (the last, if it has fewer)."""
    dim = min(dim, input.dim() - 1)
    return vector.reshape([len(vector) if d == dim else 1 for d in range(input.dim())])


def layer_norm_samples(make):
    yield sample(make(2, 3, 4), (4,), make(4), make(4))
    yield sample(make(2, 3, 4), (3, 4))


@rule(F.layer_norm, torch.layer_norm, samples=layer_norm_samples)
def layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-5, cudnn_enable=True):
    """Each row over the last dimensions to mean 0 and variance 1, then y = x̂·w + b.

    Of weight 1 and bias 0 the kernel's answer is x̂ itself, with μ and r beside it. ∂L/∂x as
    above, from dx̂ = dy·w; w and b receive Σ dy·x̂ and Σ dy (Ba et al., 2016, arXiv:1607.06450).
    """
    ones = input.new_ones(normalized_shape)
    zeros = torch.zeros_like(ones)
    normalized, _, scale = torch.native_layer_norm(input, normalized_shape, ones, zeros, eps)
    w = ones if weight is None else weight
    y = torch.addcmul(zeros if bias is None else bias, normalized, w)
    dims = list(range(-w.dim(), 0))
    stacked = (math.prod(input.shape[: -w.dim()]), *w.shape)

    def backward(dy):
        overlap = dy * normalized
        dbias = None if bias is None else dy.reshape(stacked).sum(0)
        dweight = None if weight is None else overlap.reshape(stacked).sum(0)
        dnormalized = dy * w
        overlap *= w
        shift = dnormalized.mean(dims, keepdim=True)
        stretch = overlap.mean(dims, keepdim=True)
        dinput = dnormalized.sub_(shift).addcmul_(normalized, stretch, value=-1).mul_(scale)
        return dinput, None, dweight, dbias

    return y, backward


def rms_norm_samples(make):
    yield sample(make(2, 3, 4), (4,), make(4))
    yield sample(make(2, 3, 4), (3, 4), eps=1e-3)


@rule(F.rms_norm, torch.rms_norm, samples=rms_norm_samples)
def rms_norm(input, normalized_shape, weight=None, eps=None):
    """Each row divided by its root mean square, then y = x̂·w. No mean is taken out.

    So only the stretch is projected out: ∂L/∂x = r·(dx̂ − x̂·mean(dx̂·x̂))
    (Zhang and Sennrich, 2019, arXiv:1910.07467).
    """
    dims = list(range(-len(normalized_shape), 0))
    eps = torch.finfo(input.dtype).eps if eps is None else eps
    scale = (input.square().mean(dims, keepdim=True) + eps).rsqrt()
    normalized = input * scale
    y = normalized
    if weight is not None:
        y = as_dtype(y * weight, input.dtype)

    def backward(dy):
        dweight = None
        dnormalized = dy
        overlap = dy * normalized
        if weight is not None:
            dweight = unbroadcast(overlap, weight)
            dnormalized = dy * weight
            overlap = overlap * weight
        stretch = overlap.mean(dims, keepdim=True)
        dinput = torch.addcmul(dnormalized, normalized, stretch, value=-1)
        dinput *= scale
        dinput = as_dtype(dinput, input.dtype)
        return dinput, None, dweight

    return y, backward


def batch_norm_samples(make):
    yield sample(make(4, 3), make.constant(3), make.constant(3), make(3), make(3))
    yield sample(make(4, 3, 2), None, None, make(3), make(3), training=True)
    yield sample(make(4, 3, 2), make.constant(3), make.constant(3), training=True)


@rule(F.batch_norm, samples=batch_norm_samples)
def batch_norm(
    input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5
):
    """Each channel to mean 0 and variance 1 over the batch, then y = x̂·w + b.

    The weight is one number for each channel, so the two means of dx̂ are those of the bias's
    and the weight's own cotangents: ∂L/∂x = r·w·(dy − ∂L/∂b/n − x̂·∂L/∂w/n). In evaluation the
    running mean and variance are constants, and nothing is projected.
    """
    dims = over_all_but(input, 1)
    if training:
        mean = input.mean(dims, keepdim=True)
        centered = input - mean
        variance = centered.square().mean(dims, keepdim=True)
    else:
        centered = input - along(running_mean, input)
        variance = along(running_var, input)
    scale = (variance + eps).rsqrt()
    normalized = centered * scale
    y = normalized
    if weight is not None:
        y = y * along(weight, input)
    if bias is not None:
        y = y + along(bias, input)

    def backward(dy):
        total = dy.sum(dims, keepdim=True)
        overlap = (dy * normalized).sum(dims, keepdim=True)
        dcentered = dy
        if training:
            n = math.prod(input.shape[d] for d in dims)
            dcentered = torch.addcmul(dy, normalized, overlap / n, value=-1)
            dcentered -= total / n
        gain = scale if weight is None else scale * along(weight, input)
        dinput = gain * dcentered
        dweight = None if weight is None else overlap.reshape(weight.shape)
        dbias = None if bias is None else total.reshape(bias.shape)
        return dinput, None, None, dweight, dbias

    return y, backward


def group_norm_samples(make):
    yield sample(make(2, 4, 3), 2, make(4), make(4))
    yield sample(make(2, 6, 3), 3)


@rule(F.group_norm, torch.group_norm, samples=group_norm_samples)
def group_norm(input, num_groups, weight=None, bias=None, eps=1e-5, cudnn_enabled=True):
    """Each group of channels of each example to mean 0 and variance 1, then y = x̂·w + b.

    One kernel finds x̂ and r. The weight is one number for each channel, so the means of dx̂ and
    dx̂·x̂ are made of each channel's Σ dy and Σ dy·x̂.
    """
    channels, size = input.shape[1], math.prod(input.shape[2:])
    normalized, _, scale = torch.native_group_norm(
        input.contiguous(), None, None, len(input), channels, size, num_groups, eps
    )
    y = normalized
    if weight is not None:
        y = y * along(weight, input)
    if bias is not None:
        y = y + along(bias, input)
    groups = normalized.reshape(len(input), num_groups, channels // num_groups, size)
    scale = scale[..., None, None]
    w = 1 if weight is None else weight.reshape(num_groups, -1, 1)

    def backward(dy):
        dy = dy.reshape(groups.shape)
        total = dy.sum(-1, keepdim=True)
        overlap = (dy * groups).sum(-1, keepdim=True)
        dbias = None if bias is None else total.sum(0).reshape(bias.shape)
        dweight = None if weight is None else overlap.sum(0).reshape(weight.shape)
        shift = (w * total).mean(-2, keepdim=True) / size
        stretch = (w * overlap).mean(-2, keepdim=True) / size
        dgroups = dy * (scale * w)
        dgroups = dgroups.addcmul_(groups, scale * stretch, value=-1)
        dgroups -= scale * shift
        dinput = dgroups.reshape(input.shape)
        return dinput, None, dweight, dbias

    return y, backward


def instance_norm_samples(make):
    yield sample(make(2, 3, 4), weight=make(3), bias=make(3))
    yield sample(make(2, 3, 4), make.constant(3), make.constant(3), use_input_stats=False)


@rule(F.instance_norm, samples=instance_norm_samples)
def instance_norm(
    input,
    running_mean=None,
    running_var=None,
    weight=None,
    bias=None,
    use_input_stats=True,
    momentum=0.1,
    eps=1e-5,
):
    """Each channel of each example to mean 0 and variance 1, then y = x̂·w + b.

    The weight is one number for each channel, so ∂L/∂x = r·w·(dy − mean(dy) − x̂·mean(dy·x̂)).
    With running statistics this is batch_norm in evaluation. (Ulyanov et al., 2016,
    arXiv:1607.08022.)
    """
    if not use_input_stats:
        return batch_norm(input, running_mean, running_var, weight, bias, eps=eps)
    dims = list(range(2, input.dim()))
    centered = input - input.mean(dims, keepdim=True)
    variance = centered.square().mean(dims, keepdim=True)
    scale = (variance + eps).rsqrt()
    normalized = centered * scale
    y = normalized
    if weight is not None:
        y = y * along(weight, input)
    if bias is not None:
        y = y + along(bias, input)

    def backward(dy):
        overlap = dy * normalized
        dweight = None if weight is None else overlap.sum(over_all_but(input, 1))
        dbias = None if bias is None else dy.sum(over_all_but(input, 1))
        shift = dy.mean(dims, keepdim=True)
        stretch = overlap.mean(dims, keepdim=True)
        dcentered = torch.addcmul(dy, normalized, stretch, value=-1)
        dcentered -= shift
        gain = scale if weight is None else scale * along(weight, input)
        dinput = gain * dcentered
        return dinput, None, None, dweight, dbias

    return y, backward
