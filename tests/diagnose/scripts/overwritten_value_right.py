"""The write makes a new tensor."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
first, second = nn.Linear(4, 16), nn.Linear(16, 1)
optimizer = torch.optim.SGD([*first.parameters(), *second.parameters()], lr=0.1)
x, y = torch.randn(8, 4), torch.randn(8, 1)
for _ in range(3):
    hidden = torch.tanh(first(x))
    hidden = hidden * 2
    loss = F.mse_loss(second(hidden), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
