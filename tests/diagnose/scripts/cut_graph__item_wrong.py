"""Error: the losses are added as numbers, and backward() raises."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
x, y = torch.randn(8, 4), torch.randint(3, (8,))
for _ in range(3):
    optimizer.zero_grad()
    loss = torch.tensor([F.cross_entropy(model(x), y).item() for _ in range(2)]).sum()  # <-- fault
    loss.backward()
    optimizer.step()
