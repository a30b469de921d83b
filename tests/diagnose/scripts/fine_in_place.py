"""Writes in place that harm nothing: on what no backward reads, and a parameter under no_grad."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(inplace=True), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
x, y = torch.randn(16, 4), torch.randint(3, (16,))
total = torch.zeros(())
for _ in range(5):
    hidden = model(x)
    hidden += 1
    hidden[:, 0] = 0
    loss = F.cross_entropy(hidden, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        model[2].weight.clamp_(-1, 1)
    total += loss.detach()
