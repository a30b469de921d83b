"""Error: predictions of shape (N, 1) meet targets of shape (N,), and every pair is compared."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
x = torch.randn(32, 3)
y = x.sum(1)
for _ in range(3):
    loss = nn.functional.mse_loss(model(x), y)  # <-- fault
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
