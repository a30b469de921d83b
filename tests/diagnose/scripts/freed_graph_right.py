"""The losses are added up, and backward runs once."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
trunk, left, right = nn.Linear(4, 16), nn.Linear(16, 1), nn.Linear(16, 1)
x, y, z = torch.randn(8, 4), torch.randn(8, 1), torch.randn(8, 1)
hidden = torch.tanh(trunk(x))
first = F.mse_loss(left(hidden), y)
second = F.mse_loss(right(hidden), z)
(first + second).backward()
