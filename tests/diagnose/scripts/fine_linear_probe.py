"""Features are detached once from an encoder that no optimizer has."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
encoder = nn.Sequential(nn.Linear(6, 16), nn.ReLU())
probe = nn.Linear(16, 2)
optimizer = torch.optim.Adam(probe.parameters())
x, y = torch.randn(32, 6), torch.randint(2, (32,))
for _ in range(4):
    loss = F.cross_entropy(probe(encoder(x).detach()), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    accuracy = (probe(encoder(x)).argmax(1) == y).float().mean().item()
