"""A batch without a target is passed over."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Linear(6, 4)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
batches = [(torch.randn(8, 6), torch.randint(4, (8,))) for _ in range(3)]
batches[1] = (torch.randn(8, 6), torch.full((8,), -100))
for x, y in batches:
    total = nn.functional.cross_entropy(model(x), y, reduction="sum")
    loss = total / (y != -100).sum().clamp(min=1)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
