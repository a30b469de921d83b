"""Error: nll_loss is given probabilities without their logarithm."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
x, y = torch.randn(30, 4), torch.randint(3, (30,))
for _ in range(3):
    loss = F.nll_loss(F.softmax(model(x), dim=1), y)  # <-- fault
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
