"""The embedding has a row for every token."""

import torch
from torch import nn

torch.manual_seed(0)
tokens = torch.tensor([[1, 2, 3], [4, 5, 0]])
table, head = nn.Embedding(5, 4), nn.Linear(4, 1)
for _ in range(2):
    table.zero_grad()
    h = table(tokens.clamp(max=4))
    head(h).mean().backward()
