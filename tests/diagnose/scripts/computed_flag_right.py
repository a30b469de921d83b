"""A computed tensor is detached."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
x, y = torch.randn(16, 4), torch.randn(16, 3)
for _ in range(2):
    optimizer.zero_grad()
    out = model(x)
    target = out.detach()
    loss = nn.functional.mse_loss(out, target + y)
    loss.backward()
    optimizer.step()
