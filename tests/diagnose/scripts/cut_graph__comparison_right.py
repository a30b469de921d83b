"""The loss is a smooth stand-in for the mistakes."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
x, y = torch.randn(8, 4), torch.randint(3, (8,))
for _ in range(3):
    optimizer.zero_grad()
    loss = model(x)[:, 0].sigmoid().mean()
    loss.backward()
    optimizer.step()
