"""Error: the gradients are zeroed once an epoch, and add up over its batches."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.Adam(model.parameters())
for _ in range(2):
    optimizer.zero_grad()
    for _ in range(3):
        x, y = torch.randn(16, 4), torch.randint(3, (16,))
        loss = F.cross_entropy(model(x), y)
        loss.backward()  # <-- fault
        optimizer.step()
