"""Error: a product in float16 leaves its range."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 1)).half()
optimizer = torch.optim.SGD(model.parameters(), lr=1e-9)
x, y = 1000 * torch.randn(16, 32).half(), torch.randn(16, 1).half()
for _ in range(3):
    loss = (model(x) - y).square().mean()  # <-- fault
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
