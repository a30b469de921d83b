"""Error: a mean over what is unmasked, in a row where nothing is."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Linear(6, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
x, y = torch.randn(8, 5, 6), torch.randint(3, (8,))
mask = (torch.rand(8, 5) > 0.5).float()
mask[3] = 0
for _ in range(3):
    total = (x * mask[:, :, None]).sum(1)
    pooled = total / mask.sum(1, keepdim=True)  # <-- fault
    loss = nn.functional.cross_entropy(model(pooled), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
