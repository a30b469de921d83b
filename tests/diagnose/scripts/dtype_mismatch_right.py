"""The batch is converted to the dtype of the weights."""

import numpy as np
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
x, y = torch.from_numpy(np.random.rand(16, 4)), torch.randint(3, (16,))
for _ in range(2):
    optimizer.zero_grad()
    logits = model(x.float())
    loss = nn.functional.cross_entropy(logits, y)
    loss.backward()
    optimizer.step()
