"""The same in bfloat16, which has the range of float32."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 1)).bfloat16()
optimizer = torch.optim.SGD(model.parameters(), lr=1e-9)
x, y = 1000 * torch.randn(16, 32).bfloat16(), torch.randn(16, 1).bfloat16()
for _ in range(3):
    loss = (model(x) - y).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
