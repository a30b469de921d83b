"""Error: an encoder that is to be trained runs under no_grad."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
encoder = nn.Sequential(nn.Linear(4, 16), nn.ReLU())
head = nn.Linear(16, 3)
optimizer = torch.optim.SGD([*encoder.parameters(), *head.parameters()], lr=0.1)
x, y = torch.randn(8, 4), torch.randint(3, (8,))
for _ in range(3):
    optimizer.zero_grad()
    with torch.no_grad():  # <-- fault
        features = encoder(x)
    loss = F.cross_entropy(head(features), y)
    loss.backward()
    optimizer.step()
