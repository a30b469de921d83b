"""Error: nll_loss is given logits."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
criterion = nn.NLLLoss()
x, y = torch.randn(30, 4), torch.randint(3, (30,))
for _ in range(3):
    loss = criterion(model(x), y)  # <-- fault
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
