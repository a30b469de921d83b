"""A transpose brings the batch to the front."""

import torch
from torch import nn

torch.manual_seed(0)
time, batch = 5, 8
layer, head = nn.Linear(4, 6), nn.Linear(6, 1)
optimizer = torch.optim.SGD([*layer.parameters(), *head.parameters()], lr=0.1)
x, y = torch.randn(time, batch, 4), torch.randn(batch, 1)
for _ in range(3):
    h = torch.tanh(layer(x))
    h = h.transpose(0, 1)
    loss = nn.functional.mse_loss(head(h.mean(1)), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
