"""Error: the losses of the samples are copied into a new tensor."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
x, y = torch.randn(16, 4), torch.randint(3, (16,))
for _ in range(3):
    optimizer.zero_grad()
    losses = [nn.functional.cross_entropy(model(x[i]), y[i]) for i in range(4)]
    loss = torch.tensor(losses, requires_grad=True).mean()  # <-- fault
    loss.backward()
    optimizer.step()
