"""Sharpness-aware minimization: up along the gradient, a second gradient there, back, and down."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 16), nn.SiLU(), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
x, y = torch.randn(16, 4), torch.randint(3, (16,))
for _ in range(5):
    F.cross_entropy(model(x), y).backward()
    with torch.no_grad():
        gradients = [p.grad for p in model.parameters()]
        norm = torch.stack([g.norm() for g in gradients]).norm()
        ascents = [0.05 * g / (norm + 1e-12) for g in gradients]
        for p, ascent in zip(model.parameters(), ascents, strict=True):
            p.add_(ascent)
    optimizer.zero_grad()
    F.cross_entropy(model(x), y).backward()
    with torch.no_grad():
        for p, ascent in zip(model.parameters(), ascents, strict=True):
            p.sub_(ascent)
    optimizer.step()
    optimizer.zero_grad()
