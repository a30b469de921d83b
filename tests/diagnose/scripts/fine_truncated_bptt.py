"""The hidden state goes on from chunk to chunk, detached: backpropagation through time is cut."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
lstm, score = nn.LSTM(5, 8, batch_first=True), nn.Linear(8, 5)
parameters = [*lstm.parameters(), *score.parameters()]
optimizer = torch.optim.Adam(parameters, lr=1e-2)
sequence = torch.randint(5, (2, 61))
state = None
for start in range(0, 60, 10):
    tokens, targets = sequence[:, start : start + 10], sequence[:, start + 1 : start + 11]
    hidden, state = lstm(F.one_hot(tokens, 5).float(), state)
    state = tuple(part.detach() for part in state)
    loss = F.cross_entropy(score(hidden).flatten(0, 1), targets.flatten())
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
