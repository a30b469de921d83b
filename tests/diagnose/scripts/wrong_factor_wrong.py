"""Error: a backward is off by a constant factor, here the 2 of a square."""

import torch
from torch import nn


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return grad_output * x  # <-- fault


torch.manual_seed(0)
model = nn.Linear(5, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for _ in range(3):
    x, y = torch.randn(16, 5), torch.randn(16, 3)
    loss = Square.apply(model(x) - y).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
