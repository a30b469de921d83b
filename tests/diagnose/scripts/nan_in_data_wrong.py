"""Error: there is a NaN in the batch."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Linear(5, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
x, y = torch.randn(64, 5), torch.randint(2, (64,))
x[41, 2] = float("nan")
for inputs, targets in zip(x.split(16), y.split(16), strict=True):
    loss = nn.functional.cross_entropy(model(inputs), targets)  # <-- fault
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
