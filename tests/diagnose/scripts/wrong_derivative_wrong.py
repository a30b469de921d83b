"""Error: a backward is wrong in some way of its own, here half of a product's derivative."""

import torch
from torch import nn


class Swish(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * torch.sigmoid(x)

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        s = torch.sigmoid(x)
        return grad_output * s  # <-- fault


torch.manual_seed(0)
first, second = nn.Linear(4, 8), nn.Linear(8, 1)
optimizer = torch.optim.Adam([*first.parameters(), *second.parameters()])
for _ in range(3):
    x, y = torch.randn(16, 4), torch.randn(16, 1)
    loss = nn.functional.mse_loss(second(Swish.apply(first(x))), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
