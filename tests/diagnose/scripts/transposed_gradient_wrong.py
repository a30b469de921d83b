"""Error: the gradient of a square weight is returned transposed."""

import torch
from torch import nn


class Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight):
        ctx.save_for_backward(x, weight)
        return x @ weight.T

    @staticmethod
    def backward(ctx, grad_output):
        x, weight = ctx.saved_tensors
        grad_x = grad_output @ weight
        grad_weight = x.T @ grad_output  # <-- fault
        return grad_x, grad_weight


torch.manual_seed(0)
weight = nn.Parameter(torch.randn(6, 6) / 6)
head = nn.Linear(6, 2)
optimizer = torch.optim.SGD([weight, *head.parameters()], lr=0.1)
for _ in range(3):
    x, y = torch.randn(12, 6), torch.randint(2, (12,))
    loss = nn.functional.cross_entropy(head(torch.tanh(Linear.apply(x, weight))), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
