"""The argument is masked as well as the value."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 12), nn.ReLU(), nn.Linear(12, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
x, y = torch.randn(16, 4), torch.rand(16, 1)
for _ in range(3):
    area = model(x) - 0.2
    positive = area > 0
    side = torch.where(positive, torch.sqrt(torch.where(positive, area, 1.0)), 0.0)
    loss = (side - y).abs().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
