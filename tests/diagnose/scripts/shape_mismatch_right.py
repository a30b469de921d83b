"""A layer is given as many features as it has."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
x, y = torch.randn(16, 2, 2), torch.randint(3, (16,))
for _ in range(2):
    optimizer.zero_grad()
    logits = model(x.flatten(1))
    loss = nn.functional.cross_entropy(logits, y)
    loss.backward()
    optimizer.step()
