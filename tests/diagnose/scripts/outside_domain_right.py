"""A variance that cannot be negative."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
x = 1000 + 0.001 * torch.randn(12, 6, 4)
y = torch.randn(12, 6, 1)
for _ in range(2):
    h = model(x)
    variance = (h - h.mean(1, keepdim=True)).square().mean(1)
    spread = torch.sqrt(variance + 1e-6)
    loss = ((h - h.mean(1, keepdim=True)) / (spread[:, None] + 1e-3) - y).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
