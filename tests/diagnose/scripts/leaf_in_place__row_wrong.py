"""Error: a row of an embedding is emptied in place, as autograd would follow it."""

import torch
from torch import nn

table = nn.Embedding(5, 3)
table.weight[0] = 0.0  # <-- fault
for _ in range(2):
    table.zero_grad()
    table(torch.tensor([1, 2])).square().sum().backward()
