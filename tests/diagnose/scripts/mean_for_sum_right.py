"""A bias of one's own: the gradient adds up over the batch."""

import torch
from torch import nn


class AddBias(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, bias):
        return x + bias

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output, grad_output.sum(0)


torch.manual_seed(0)
layer, bias = nn.Linear(5, 3, bias=False), nn.Parameter(torch.zeros(3))
optimizer = torch.optim.SGD([*layer.parameters(), bias], lr=0.1)
for _ in range(3):
    x, y = torch.randn(8, 5), torch.randint(3, (8,))
    loss = nn.functional.cross_entropy(AddBias.apply(layer(x), bias), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
