"""Error: a view where a transpose was meant, which mixes classes with positions."""

import torch
from torch import nn

torch.manual_seed(0)
embed, head = nn.Embedding(12, 8), nn.Linear(8, 5)
optimizer = torch.optim.Adam([*embed.parameters(), *head.parameters()])
tokens, tags = torch.randint(12, (4, 7)), torch.randint(5, (4, 7))
for _ in range(3):
    logits = head(embed(tokens))
    loss = nn.functional.cross_entropy(logits.view(4, 5, 7), tags)  # <-- fault
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
