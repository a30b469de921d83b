"""A recurrent cell called in a loop, its outputs written into a buffer in place."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
cell, readout = nn.GRUCell(3, 6), nn.Linear(6, 2)
optimizer = torch.optim.RMSprop([*cell.parameters(), *readout.parameters()], lr=1e-3)
x, y = torch.randn(4, 5, 3), torch.randint(2, (4, 5))
for _ in range(4):
    hidden = torch.zeros(4, 6)
    outputs = torch.zeros(4, 5, 2)
    for t in range(5):
        hidden = cell(x[:, t], hidden)
        outputs[:, t] = readout(hidden)
    loss = F.cross_entropy(outputs.flatten(0, 1), y.flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
