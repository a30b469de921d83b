"""Error: a gradient is asked for by a slice that the loss was not computed from."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
x, y = torch.randn(16, 4, requires_grad=True), torch.randint(3, (16,))
for _ in range(2):
    optimizer.zero_grad()
    first = x[:1]
    loss = nn.functional.cross_entropy(model(x), y)
    saliency = torch.autograd.grad(loss, first, retain_graph=True)  # <-- fault
    loss.backward()
    optimizer.step()
