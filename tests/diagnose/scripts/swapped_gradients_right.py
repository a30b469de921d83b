"""A product: the gradient of the one is the other."""

import torch
from torch import nn


class Multiply(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a, b):
        ctx.save_for_backward(a, b)
        return a * b

    @staticmethod
    def backward(ctx, grad_output):
        a, b = ctx.saved_tensors
        return grad_output * b, grad_output * a


torch.manual_seed(0)
value, gate = nn.Linear(4, 6), nn.Linear(4, 6)
optimizer = torch.optim.SGD([*value.parameters(), *gate.parameters()], lr=0.1)
for _ in range(3):
    x, y = torch.randn(8, 4), torch.randn(8, 6)
    loss = nn.functional.mse_loss(Multiply.apply(value(x), torch.sigmoid(gate(x))), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
