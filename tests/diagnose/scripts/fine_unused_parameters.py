"""Experts of which each batch uses one: the others have no gradient in that step, on purpose."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
experts = nn.ModuleList(nn.Linear(4, 2) for _ in range(3))
optimizer = torch.optim.Adam(experts.parameters())
x, y = torch.randn(8, 4), torch.randint(2, (8,))
for step in range(6):
    loss = F.cross_entropy(experts[step % 3](x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
