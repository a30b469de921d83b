"""Error: dropout by hand, whose backward forgets to scale by 1/(1−p)."""

import torch
from torch import nn


class Dropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, p):
        mask = (torch.rand_like(x) > p).to(x.dtype)
        ctx.save_for_backward(mask)
        ctx.p = p
        return x * mask / (1 - p)

    @staticmethod
    def backward(ctx, grad_output):
        (mask,) = ctx.saved_tensors
        return grad_output * mask, None  # <-- fault


torch.manual_seed(0)
first, second = nn.Linear(6, 32), nn.Linear(32, 4)
optimizer = torch.optim.Adam([*first.parameters(), *second.parameters()])
for _ in range(3):
    x, y = torch.randn(10, 6), torch.randint(4, (10,))
    hidden = Dropout.apply(torch.relu(first(x)), 0.2)
    loss = nn.functional.cross_entropy(second(hidden), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
