"""Predictions and targets have one shape."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
x = torch.randn(32, 3)
y = x.sum(1)
for _ in range(3):
    prediction = model(x)
    loss = ((prediction - y[:, None]) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
