"""Error: the hidden state is carried on with its graph, and the second backward() raises."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
cell, score = nn.GRUCell(3, 8), nn.Linear(8, 1)
optimizer = torch.optim.SGD([*cell.parameters(), *score.parameters()], lr=0.01)
hidden = torch.zeros(4, 8)
for _ in range(4):
    x, y = torch.randn(4, 3), torch.randn(4, 1)
    hidden = cell(x, hidden)  # <-- fault
    loss = F.mse_loss(score(hidden), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
