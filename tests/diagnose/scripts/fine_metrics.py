"""Metrics that are computed after backward, from outputs that still have their graph."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
x, y = torch.randn(16, 4), torch.randint(3, (16,))
correct, losses = 0, []
for _ in range(6):
    logits = model(x)
    loss = F.cross_entropy(logits, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    confidence = logits.softmax(1).max(1).values.mean()
    correct += (logits.argmax(1) == y).sum().item()
    losses.append(float(loss) + float(confidence))
