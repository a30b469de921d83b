"""Error: the logarithm of a count that is 0."""

import torch
from torch import nn

torch.manual_seed(0)
embed, head = nn.Linear(3, 8), nn.Linear(8, 1)
optimizer = torch.optim.Adam([*embed.parameters(), *head.parameters()])
counts = torch.poisson(2 * torch.rand(16, 3))
target = torch.randn(16, 1)
for _ in range(3):
    hidden = torch.relu(embed(counts))
    features = torch.log(hidden)  # <-- fault
    loss = (head(features) - target).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
