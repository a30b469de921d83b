"""Warning: the optimizer was given one of two networks, and the other one is not trained."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
encoder = nn.Sequential(nn.Linear(4, 16), nn.ReLU())
head = nn.Linear(16, 1)
optimizer = torch.optim.SGD(encoder.parameters(), lr=0.1)  # <-- fault
x, y = torch.randn(8, 4), torch.randn(8, 1)
for _ in range(3):
    optimizer.zero_grad()
    loss = F.mse_loss(head(encoder(x)), y)
    loss.backward()
    optimizer.step()
