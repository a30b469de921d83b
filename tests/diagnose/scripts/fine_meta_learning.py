"""MAML by hand: an inner step that is itself differentiated, and an outer one."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for _ in range(3):
    optimizer.zero_grad()
    for amplitude in (0.5, 2.0):
        x = torch.randn(10, 1)
        y = amplitude * x.sin()
        weights = dict(model.named_parameters())
        inner = F.mse_loss(torch.func.functional_call(model, weights, x[:5]), y[:5])
        slopes = torch.autograd.grad(inner, list(weights.values()), create_graph=True)
        fast = {name: w - 0.1 * g for (name, w), g in zip(weights.items(), slopes, strict=True)}
        outer = F.mse_loss(torch.func.functional_call(model, fast, x[5:]), y[5:])
        (outer / 2).backward()
    optimizer.step()
