"""The batch has been cleaned."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Linear(5, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
x, y = torch.randn(64, 5), torch.randint(2, (64,))
x[41, 2] = float("nan")
x = torch.where(x.isnan(), 0.0, x)
for inputs, targets in zip(x.split(16), y.split(16), strict=True):
    loss = nn.functional.cross_entropy(model(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
