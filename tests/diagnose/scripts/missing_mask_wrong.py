"""Error: a backward passes on a gradient where its forward is flat."""

import torch
from torch import nn


class ReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        grad_input = grad_output.clone()  # <-- fault
        return grad_input


torch.manual_seed(0)
first, second = nn.Linear(4, 16), nn.Linear(16, 1)
optimizer = torch.optim.SGD([*first.parameters(), *second.parameters()], lr=0.01)
x, y = torch.randn(8, 4), torch.randn(8, 1)
for _ in range(3):
    loss = nn.functional.mse_loss(second(ReLU.apply(first(x))), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
