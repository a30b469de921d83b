"""Error: images with their channels last go into a convolution."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
x, y = torch.rand(8, 6, 6, 3), torch.randint(4, (8,))
for _ in range(2):
    model.zero_grad()
    logits = model(x)  # <-- fault
    nn.functional.cross_entropy(logits, y).backward()
