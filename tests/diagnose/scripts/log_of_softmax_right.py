"""A log-softmax in one."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
x, y = 300 * torch.randn(32, 8), torch.randint(4, (32,))
for _ in range(3):
    log_probabilities = torch.log_softmax(model(x), dim=1)
    loss = F.nll_loss(log_probabilities, y)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
