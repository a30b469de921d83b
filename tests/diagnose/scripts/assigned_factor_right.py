"""The gradient by hand has the 2 of the square."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Linear(4, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
x, y = torch.randn(8, 4), torch.randn(8, 3)
for _ in range(3):
    out = model(x)
    loss = (out - y).square().sum()
    optimizer.zero_grad()
    loss.backward()
    with torch.no_grad():
        dout = out - y
        model.weight.grad = 2 * dout.T @ x
    optimizer.step()
