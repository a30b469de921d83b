"""Error: a difference whose backward forgets the minus of its second half."""

import torch
from torch import nn


class Subtract(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a, b):
        return a - b

    @staticmethod
    def backward(ctx, grad_output):
        grad_a = grad_output
        grad_b = grad_output.clone()  # <-- fault
        return grad_a, grad_b


torch.manual_seed(0)
left, right = nn.Linear(4, 4), nn.Linear(4, 4)
optimizer = torch.optim.SGD([*left.parameters(), *right.parameters()], lr=0.1)
for _ in range(3):
    x = torch.randn(8, 4)
    loss = (Subtract.apply(left(x), right(x)) - x).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
