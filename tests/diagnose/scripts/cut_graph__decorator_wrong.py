"""Error: a function that computes features has the decorator of an evaluation."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
x, y = torch.randn(16, 4), torch.randint(3, (16,))


@torch.no_grad()  # <-- fault
def features(x):
    return model[:2](x)


for _ in range(3):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model[2](features(x)), y)
    loss.backward()
    optimizer.step()
