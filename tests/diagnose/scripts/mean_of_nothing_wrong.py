"""Error: the loss of a batch in which every target is ignored."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Linear(6, 4)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
batches = [(torch.randn(8, 6), torch.randint(4, (8,))) for _ in range(3)]
batches[1] = (torch.randn(8, 6), torch.full((8,), -100))
for x, y in batches:
    loss = nn.functional.cross_entropy(model(x), y)  # <-- fault
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
