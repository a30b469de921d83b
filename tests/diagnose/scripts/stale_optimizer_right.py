"""The optimizer is made when the model is complete."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
model[2] = nn.Linear(16, 2)  # a fresh head, for the new task
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)

x, y = torch.randn(8, 4), torch.randint(2, (8,))
for _ in range(3):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
