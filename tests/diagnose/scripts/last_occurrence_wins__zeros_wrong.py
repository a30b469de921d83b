"""Error: a gradient is assigned to a new tensor of zeros, and repeated tokens count once."""

import torch
from torch import nn


class Embedding(torch.autograd.Function):
    @staticmethod
    def forward(ctx, weight, tokens):
        ctx.save_for_backward(tokens)
        ctx.shape = weight.shape
        return weight[tokens]

    @staticmethod
    def backward(ctx, grad_output):
        (tokens,) = ctx.saved_tensors
        grad_weight = torch.zeros(ctx.shape)
        grad_weight[tokens] = grad_output  # <-- fault
        return grad_weight, None


torch.manual_seed(0)
weight, head = nn.Parameter(torch.randn(10, 6)), nn.Linear(6, 10)
optimizer = torch.optim.SGD([weight, *head.parameters()], lr=0.1)
tokens = torch.randint(10, (4, 7))
for _ in range(3):
    logits = head(Embedding.apply(weight, tokens[:, :-1]))
    loss = nn.functional.cross_entropy(logits.reshape(-1, 10), tokens[:, 1:].reshape(-1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
