"""A last batch of a single sample is left out."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
x, y = torch.randn(17, 4), torch.randint(3, (17,))
for at in range(0, 16, 8):
    optimizer.zero_grad()
    logits = model(x[at : at + 8])
    nn.functional.cross_entropy(logits, y[at : at + 8]).backward()
    optimizer.step()
