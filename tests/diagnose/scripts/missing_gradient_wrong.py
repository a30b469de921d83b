"""Error: a backward returns None for an input that needs a gradient."""

import torch
from torch import nn


class Scale(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale):
        ctx.save_for_backward(x, scale)
        return x * scale

    @staticmethod
    def backward(ctx, grad_output):
        x, scale = ctx.saved_tensors
        grad_x = grad_output * scale
        return grad_x, None  # <-- fault


torch.manual_seed(0)
layer, scale = nn.Linear(4, 3), nn.Parameter(torch.ones(3))
optimizer = torch.optim.SGD([*layer.parameters(), scale], lr=0.1)
for _ in range(3):
    x, y = torch.randn(8, 4), torch.randint(3, (8,))
    loss = nn.functional.cross_entropy(Scale.apply(layer(x), scale), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
