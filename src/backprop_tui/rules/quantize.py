"""Fake quantization: numbers rounded to the steps of a grid, as training aware of it does.

The function is a staircase, flat wherever it has a derivative. What flows back is the
straight-through estimator (Bengio, Léonard, Courville, 2013): the rounding passes as if it were not
there, and the clamp to the grid's ends lets nothing through (Jacob et al., 2018).
"""

import torch

from .registry import rule, sample


def per_tensor_samples(make):
    yield sample(make(3, 4), 0.1, 3, 0, 15)
    yield sample(make(3, 4), scale=0.25, zero_point=0, quant_min=-4, quant_max=3)
    step, zero = torch.tensor(0.1), torch.tensor(3, dtype=torch.int32)
    yield sample(make(3, 4), step, zero, 0, 15)


@rule(torch.fake_quantize_per_tensor_affine, samples=per_tensor_samples)
def fake_quantize_per_tensor_affine(input, scale, zero_point, quant_min, quant_max):
    """y = s·(clamp(round(x/s) + z) − z); dx = dy wherever the clamp does nothing.

    The step s is a float32 whatever x is, and so is the product with it.
    """
    step = torch.as_tensor(scale).float()
    q = torch.round(input.to(wide(input)) * (1 / step)) + zero_point
    inside = (q >= quant_min) & (q <= quant_max)
    y = ((q.clamp(quant_min, quant_max) - zero_point).float() * step).to(input.dtype)

    def backward(dy):
        dinput = dy * inside
        return dinput

    return y, backward


def per_channel_samples(make):
    steps, zeros = torch.tensor([0.1, 0.2, 0.05]), torch.tensor([3, 0, 7], dtype=torch.int32)
    yield sample(make(3, 4), steps, zeros, 0, 0, 15)
    yield sample(make(2, 3, 2), steps, zeros, axis=1, quant_min=0, quant_max=9)
    yield sample(make(2, 3), steps, zeros.float(), 1, 0, 15)


@rule(torch.fake_quantize_per_channel_affine, samples=per_channel_samples)
def fake_quantize_per_channel_affine(input, scale, zero_point, axis, quant_min, quant_max):
    """The same with a step and a zero for each channel, the slices along `axis`."""
    shape = [1] * input.dim()
    shape[axis] = -1
    step, zero = scale.float().view(shape), zero_point.view(shape)
    q = torch.round(input.to(wide(input)) * (1 / step)) + zero
    inside = (q >= quant_min) & (q <= quant_max)
    y = ((q.clamp(quant_min, quant_max) - zero) * step).to(input.dtype)

    def backward(dy):
        dinput = dy * inside
        return dinput

    return y, backward


def wide(input):
    """The dtype that the quotient is rounded in."""
    return torch.promote_types(input.dtype, torch.float32)
