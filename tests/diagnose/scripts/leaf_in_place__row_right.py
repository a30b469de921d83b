"""A row of an embedding is emptied where no gradient flows."""

import torch
from torch import nn

table = nn.Embedding(5, 3)
table.weight.data[0] = 0.0
for _ in range(2):
    table.zero_grad()
    table(torch.tensor([1, 2])).square().sum().backward()
