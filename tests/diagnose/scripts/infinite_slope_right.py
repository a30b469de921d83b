"""A distance kept away from 0."""

import torch
from torch import nn

torch.manual_seed(0)
encoder = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
optimizer = torch.optim.SGD(encoder.parameters(), lr=0.01)
for _ in range(3):
    x = torch.randn(10, 4)
    partner = torch.where(torch.rand(10, 1) < 0.3, x, torch.randn(10, 4))
    difference = encoder(x) - encoder(partner)
    distance = torch.sqrt((difference**2).sum(1) + 1e-8)
    loss = torch.relu(1 - distance).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
