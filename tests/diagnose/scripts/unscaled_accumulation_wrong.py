"""Warning: four mean losses are added up, and the step is four times as long as meant."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(8):
    x, y = torch.randn(4, 4), torch.randint(3, (4,))
    loss = F.cross_entropy(model(x), y)
    loss.backward()  # <-- fault
    if step % 4 == 3:
        optimizer.step()
        optimizer.zero_grad()
