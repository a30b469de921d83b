"""Backwards that are meant to be no derivative: straight-through, reversal, spikes, clipping."""

import torch
from torch import nn


class RoundSTE(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return torch.round(x)

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output


class ClampSTE(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clamp(-1, 1)

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output.clone()


class GradientReversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, strength):
        ctx.strength = strength
        return x.view_as(x)

    @staticmethod
    def backward(ctx, grad_output):
        return -ctx.strength * grad_output, None


class Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx, membrane):
        ctx.save_for_backward(membrane)
        return (membrane > 0).float()

    @staticmethod
    def backward(ctx, grad_output):
        (membrane,) = ctx.saved_tensors
        return grad_output / (1 + 10 * membrane.abs()) ** 2


class ClipGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output.clamp(-1e-3, 1e-3)


class FakeQuantize(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale):
        ctx.save_for_backward(x, scale)
        return (x / scale).round().clamp(-8, 7) * scale

    @staticmethod
    def backward(ctx, grad_output):
        x, scale = ctx.saved_tensors
        q = x / scale
        inside = (q >= -8) & (q <= 7)
        grad_scale = torch.where(inside, q.round() - q, q.clamp(-8, 7))
        return grad_output * inside, (grad_output * grad_scale).sum()


torch.manual_seed(0)
encoder, head, domain = nn.Linear(6, 8), nn.Linear(8, 3), nn.Linear(8, 2)
scale = nn.Parameter(torch.tensor(0.1))
layers = (encoder, head, domain)
optimizer = torch.optim.Adam([scale, *(p for layer in layers for p in layer.parameters())])
for _ in range(3):
    x, y, d = torch.randn(12, 6), torch.randint(3, (12,)), torch.randint(2, (12,))
    h = FakeQuantize.apply(encoder(x), scale)
    h = h + Spike.apply(h) + ClampSTE.apply(2 * h) + RoundSTE.apply(h)
    h = h + (torch.sign(h) - h).detach()  # straight-through without a Function
    loss = nn.functional.cross_entropy(head(ClipGradient.apply(h)), y)
    loss = loss + nn.functional.cross_entropy(domain(GradientReversal.apply(h, 0.5)), d)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
