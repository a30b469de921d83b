"""A transpose."""

import torch
from torch import nn

torch.manual_seed(0)
embed, head = nn.Embedding(12, 8), nn.Linear(8, 5)
optimizer = torch.optim.Adam([*embed.parameters(), *head.parameters()])
tokens, tags = torch.randint(12, (4, 7)), torch.randint(5, (4, 7))
for _ in range(3):
    logits = head(embed(tokens))
    loss = nn.functional.cross_entropy(logits.transpose(1, 2), tags)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
