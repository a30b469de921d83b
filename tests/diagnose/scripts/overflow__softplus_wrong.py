"""Error: a softplus by hand overflows in exp."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Linear(4, 2)
optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
x, y = 200 * torch.randn(30, 4), torch.rand(30)
for _ in range(3):
    mean, raw = model(x).unbind(1)
    scale = torch.log(1 + torch.exp(raw)) + 1e-3  # <-- fault
    loss = (torch.log(scale) + 0.5 * ((mean - y) / scale) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
