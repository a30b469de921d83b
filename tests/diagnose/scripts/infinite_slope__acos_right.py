"""An angle whose cosine is kept off ±1."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
model = nn.Linear(3, 3, bias=False)
with torch.no_grad():
    model.weight.copy_(torch.eye(3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
x = torch.eye(3)
for _ in range(3):
    cosine = F.cosine_similarity(model(x), x)
    loss = torch.acos(cosine.clamp(-1 + 1e-6, 1 - 1e-6)).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
