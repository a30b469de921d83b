"""Error: a binary cross-entropy by hand, of a sigmoid that rounds to 1."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Linear(5, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
x = 100 * torch.randn(40, 5)
y = (x[:, :1] > 0).float()
for _ in range(3):
    p = torch.sigmoid(model(x))
    loss = -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean()  # <-- fault
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
