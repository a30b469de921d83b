"""A step by hand over lists of tensors, whose gradients it empties."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
params = list(model.parameters())
x, y = torch.randn(32, 3), torch.randn(32, 1)
for _ in range(4):
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    with torch.no_grad():
        torch._foreach_add_(params, [p.grad for p in params], alpha=-0.01)
    model.zero_grad()
