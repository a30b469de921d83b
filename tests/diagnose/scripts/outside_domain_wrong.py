"""Error: a variance as a difference of squares, which rounding makes negative under the root."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
x = 1000 + 0.001 * torch.randn(12, 6, 4)
y = torch.randn(12, 6, 1)
for _ in range(2):
    h = model(x)
    variance = (h**2).mean(1) - h.mean(1) ** 2
    spread = torch.sqrt(variance)  # <-- fault
    loss = ((h - h.mean(1, keepdim=True)) / (spread[:, None] + 1e-3) - y).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
