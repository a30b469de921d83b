"""Error: `backward()` is called on a loss for each sample."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
x, y = torch.randn(16, 4), torch.randint(3, (16,))
loss_fn = nn.CrossEntropyLoss(reduction="none")
for _ in range(2):
    optimizer.zero_grad()
    loss = loss_fn(model(x), y)
    loss.backward()  # <-- fault
    optimizer.step()
