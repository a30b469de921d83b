"""A gradient is asked for by what the loss was computed from."""

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
    saliency = torch.autograd.grad(loss, x, retain_graph=True)[0][:1]
    loss.backward()
    optimizer.step()
