"""Note: a hook that was left in from an experiment scales a gradient."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
model[0].weight.register_hook(lambda grad: 0.1 * grad)  # <-- fault
x, y = torch.randn(16, 4), torch.randint(3, (16,))
for _ in range(3):
    optimizer.zero_grad()
    F.cross_entropy(model(x), y).backward()
    optimizer.step()
