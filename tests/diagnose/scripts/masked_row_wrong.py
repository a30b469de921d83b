"""Error: attention over a sequence of which every position is masked."""

import torch
from torch import nn

torch.manual_seed(0)
project, head = nn.Linear(8, 8), nn.Linear(8, 2)
optimizer = torch.optim.Adam([*project.parameters(), *head.parameters()])
x, y = torch.randn(4, 6, 8), torch.randint(2, (4,))
lengths = torch.tensor([6, 3, 0, 4])
padding = torch.arange(6)[None, :] >= lengths[:, None]
for _ in range(3):
    q = project(x)
    scores = q @ x.transpose(1, 2) / 8**0.5
    scores = scores.masked_fill(padding[:, None, :], float("-inf"))
    mixed = torch.softmax(scores, dim=-1) @ x  # <-- fault
    loss = nn.functional.cross_entropy(head(mixed.mean(1)), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
