"""Padded positions: an embedding row without gradient, and targets that the loss ignores."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
embedding, gru, score = nn.Embedding(9, 6, padding_idx=0), nn.GRU(6, 8), nn.Linear(8, 9)
parameters = [p for part in (embedding, gru, score) for p in part.parameters()]
optimizer = torch.optim.Adam(parameters)
tokens = torch.tensor([[3, 4, 5, 0, 0], [6, 7, 8, 1, 2]]).T
for _ in range(4):
    hidden, _ = gru(embedding(tokens[:-1]))
    logits = score(hidden)
    loss = F.cross_entropy(logits.flatten(0, 1), tokens[1:].flatten(), ignore_index=0)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
