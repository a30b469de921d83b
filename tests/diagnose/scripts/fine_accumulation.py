"""Gradients of several small batches, each loss divided by their number."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(6, 12), nn.GELU(), nn.Linear(12, 3))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
optimizer.zero_grad()
for number in range(1, 9):
    x, y = torch.randn(4, 6), torch.randint(3, (4,))
    loss = nn.functional.cross_entropy(model(x), y) / 4
    loss.backward()
    if number % 4 == 0:
        optimizer.step()
        optimizer.zero_grad()
