"""Infinities on purpose: masks of −inf, gaps filled with NaN and masked out."""

import torch
from torch import nn

torch.manual_seed(0)
model, head = nn.Linear(8, 8), nn.Linear(8, 3)
optimizer = torch.optim.Adam([*model.parameters(), *head.parameters()])
causal = torch.full((5, 5), float("-inf")).triu(1)
for _ in range(3):
    x, y = torch.randn(2, 5, 8), torch.randint(3, (2, 5))
    scores = model(x) @ x.transpose(1, 2) + causal
    scores = scores.masked_fill(torch.eye(5, dtype=torch.bool).roll(1, 0), -torch.inf)
    scores[:, 0, 0] = 0.0
    mixed = torch.softmax(scores, -1) @ x
    best = torch.full((2,), float("-inf"))
    for t in range(5):
        best = torch.maximum(best, mixed[:, t].amax(-1))
    log_weights = torch.log(torch.tensor([0.0, 1.0, 1.0]))
    logits = head(mixed) + log_weights
    loss = nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten().clamp(min=1))
    loss = loss + 0.01 * best.mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
