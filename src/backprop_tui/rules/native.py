"""What the normalisations of torch.nn.functional call below: they return their statistics too.

PyTorch differentiates only the first output of those of layers and batches; the statistics of
a group norm, its mean μ and r = 1/σ, have derivatives of their own.
"""

import torch

from .norm import batch_norm, group_norm, layer_norm
from .registry import rule, sample


def layer_samples(make):
    yield sample(make(2, 3, 4), (4,), make(4), make(4), 1e-5)
    yield sample(make(2, 3, 4), (3, 4), None, None, 1e-5)


@rule(torch.native_layer_norm, samples=layer_samples)
def native_layer_norm(input, normalized_shape, weight, bias, eps):
    """layer_norm, with the mean and 1/σ of each row."""
    y, norm_backward = layer_norm(input, normalized_shape, weight, bias, eps)
    dims = list(range(-len(normalized_shape), 0))
    variance, mean = torch.var_mean(input, dims, correction=0, keepdim=True)
    scale = (variance + eps).rsqrt()

    def backward(dy, dmean, dscale):
        dinput, _, dweight, dbias = norm_backward(dy)
        return dinput, None, dweight, dbias

    return (y, mean, scale), backward


def batch_samples(make):
    yield sample(make(4, 3, 2), make(3), make(3), None, None, True, 0.1, 1e-5)
    statistics = make.constant(3), make.constant(3)
    yield sample(make(4, 3), make(3), make(3), *statistics, False, 0.1, 1e-5)


@rule(torch.native_batch_norm, samples=batch_samples)
def native_batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps):
    """batch_norm, with the mean and 1/σ of each channel where they are the batch's own."""
    y, norm_backward = batch_norm(
        input, running_mean, running_var, weight, bias, training, momentum, eps
    )
    mean = scale = input.new_zeros(0)
    if training:
        channels = input.transpose(0, 1).flatten(1)
        variance, mean = torch.var_mean(channels, 1, correction=0)
        scale = (variance + eps).rsqrt()

    def backward(dy, dmean, dscale):
        dinput, _, _, dweight, dbias = norm_backward(dy)
        return dinput, dweight, dbias

    return (y, mean, scale), backward


def group_samples(make):
    yield sample(make(2, 4, 3), make(4), make(4), 2, 4, 3, 2, 1e-5)
    yield sample(make(2, 6, 3), None, None, 2, 6, 3, 3, 1e-5)


@rule(torch.native_group_norm, samples=group_samples)
def native_group_norm(input, weight, bias, N, C, HxW, group, eps):
    """group_norm, with the mean and 1/σ of each group: ∂μ/∂x = 1/n, ∂r/∂x = −r²·x̂/n."""
    y, norm_backward = group_norm(input, group, weight, bias, eps)
    groups = input.reshape(N, group, C * HxW // group)
    variance, mean = torch.var_mean(groups, -1, correction=0)
    scale = (variance + eps).rsqrt()

    def backward(dy, dmean, dscale):
        dinput, _, dweight, dbias = norm_backward(dy)
        n = groups.shape[-1]
        centered = groups - mean.unsqueeze(-1)
        dgroups = (dmean / n).unsqueeze(-1) - (dscale * scale**3 / n).unsqueeze(-1) * centered
        dinput = dinput + dgroups.reshape(input.shape)
        return dinput, dweight, dbias

    return (y, mean, scale), backward
