"""A softmax that subtracts the largest exponent first."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
x, y = 40 * torch.randn(20, 6), torch.randint(3, (20,))
with torch.no_grad():
    model[2].weight *= 30
for _ in range(3):
    logits = model(x)
    weights = torch.exp(logits - logits.max(1, keepdim=True).values)
    probabilities = weights / weights.sum(1, keepdim=True)
    loss = -torch.log(probabilities.gather(1, y[:, None]) + 1e-6).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
