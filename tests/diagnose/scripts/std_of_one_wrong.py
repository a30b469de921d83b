"""Error: the standard deviation of a last batch that holds one sample."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 2))
optimizer = torch.optim.Adam(model.parameters())
data, target = torch.randn(9, 5), torch.randn(9, 2)
for x, y in zip(data.split(4), target.split(4), strict=True):
    h = model[0](x)
    h = (h - h.mean(0)) / (h.std(0) + 1e-5)  # <-- fault
    loss = nn.functional.mse_loss(model[2](model[1](h)), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
