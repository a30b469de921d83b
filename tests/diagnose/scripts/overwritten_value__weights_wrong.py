"""Error: weights are clipped in place between forward and backward, and backward() raises."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
first, second = nn.Linear(4, 16), nn.Linear(16, 1)
optimizer = torch.optim.SGD([*first.parameters(), *second.parameters()], lr=0.1)
x, y = torch.randn(8, 4), torch.randn(8, 1)
for _ in range(3):
    loss = F.mse_loss(second(torch.tanh(first(x))), y)
    optimizer.zero_grad()
    with torch.no_grad():
        second.weight.clamp_(-0.1, 0.1)  # <-- fault
    loss.backward()
    optimizer.step()
