"""Error: the optimizer steps between two losses of one forward pass."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
x, y = torch.randn(8, 4), torch.randn(8, 2)
for _ in range(3):
    output = model(x)
    optimizer.zero_grad()
    F.mse_loss(output, y).backward(retain_graph=True)
    optimizer.step()  # <-- fault
    output.abs().mean().backward()
    optimizer.step()
