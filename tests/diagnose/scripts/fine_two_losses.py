"""Two tasks share a trunk, and each loss runs its own backward before the one step."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
trunk, classify, regress = nn.Linear(4, 16), nn.Linear(16, 3), nn.Linear(16, 1)
parameters = [p for part in (trunk, classify, regress) for p in part.parameters()]
optimizer = torch.optim.SGD(parameters, lr=0.05)
x, label, y = torch.randn(8, 4), torch.randint(3, (8,)), torch.randn(8, 1)
for _ in range(5):
    hidden = F.elu(trunk(x))
    optimizer.zero_grad()
    F.cross_entropy(classify(hidden), label).backward(retain_graph=True)
    F.mse_loss(regress(hidden), y).backward()
    optimizer.step()
