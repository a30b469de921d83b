"""Error: the same with a squared error by hand."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
x = torch.randn(32, 3)
y = x.sum(1)
for _ in range(3):
    prediction = model(x)
    loss = ((prediction - y) ** 2).mean()  # <-- fault
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
