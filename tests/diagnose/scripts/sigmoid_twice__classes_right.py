"""cross_entropy is given logits."""

import torch
from torch import nn

torch.manual_seed(0)
hidden, output = nn.Linear(4, 8), nn.Linear(8, 3)
optimizer = torch.optim.SGD([*hidden.parameters(), *output.parameters()], lr=0.1)
x, y = torch.randn(30, 4), torch.randint(3, (30,))
for _ in range(3):
    scores = output(torch.sigmoid(hidden(x)))
    loss = nn.functional.cross_entropy(scores, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
