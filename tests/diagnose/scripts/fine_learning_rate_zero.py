"""A group with the learning rate 0 stays as it is, on purpose, while another one warms up."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
body, head = nn.Linear(4, 16), nn.Linear(16, 1)
groups = [{"params": body.parameters(), "lr": 0.0}, {"params": head.parameters()}]
optimizer = torch.optim.Adam(groups, lr=1e-2)
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1, step / 10))
x, y = torch.randn(8, 4), torch.randn(8, 1)
for _ in range(25):
    loss = F.mse_loss(head(torch.relu(body(x))), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()
