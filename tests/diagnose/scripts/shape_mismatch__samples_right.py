"""Each sample has its target."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
x, y = torch.randn(16, 4), torch.randint(3, (15,))
for _ in range(2):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x[:15]), y)
    loss.backward()
    optimizer.step()
