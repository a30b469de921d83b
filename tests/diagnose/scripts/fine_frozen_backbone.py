"""A backbone that is frozen on purpose, its batch norm in eval mode, and a head that is trained."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
backbone = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten())
backbone.requires_grad_(False).eval()
head = nn.Linear(4 * 6 * 6, 3)
optimizer = torch.optim.SGD(head.parameters(), lr=0.05, momentum=0.9)
images, labels = torch.randn(8, 1, 8, 8), torch.randint(3, (8,))
for _ in range(5):
    optimizer.zero_grad(set_to_none=False)
    loss = F.cross_entropy(head(backbone(images)), labels)
    loss.backward()
    optimizer.step()
