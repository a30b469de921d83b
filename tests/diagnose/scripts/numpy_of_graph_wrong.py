"""Error: an accuracy is computed in numpy from what still has its graph."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
x, y = torch.randn(16, 4), torch.randint(3, (16,))
for _ in range(2):
    optimizer.zero_grad()
    logits = model(x)
    accuracy = (logits.numpy().argmax(1) == y.numpy()).mean()  # <-- fault
    loss = nn.functional.cross_entropy(logits, y)
    loss.backward()
    optimizer.step()
