"""Error: binary_cross_entropy is given logits."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
x, y = torch.randn(16, 4), torch.ones(16, 1)
for _ in range(2):
    optimizer.zero_grad()
    loss = nn.functional.binary_cross_entropy(model(x), y)  # <-- fault
    loss.backward()
    optimizer.step()
