"""Error: features made in inference mode are trained with."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
frozen = nn.Linear(4, 4)
x, y = torch.randn(16, 4), torch.randint(3, (16,))
with torch.inference_mode():
    features = frozen(x)
for _ in range(2):
    optimizer.zero_grad()
    logits = model(features)  # <-- fault
    loss = nn.functional.cross_entropy(logits, y)
    loss.backward()
    optimizer.step()
