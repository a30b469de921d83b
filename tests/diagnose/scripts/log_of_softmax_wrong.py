"""Error: the logarithm of a softmax, some of whose probabilities round to 0."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
x, y = 300 * torch.randn(32, 8), torch.randint(4, (32,))
for _ in range(3):
    log_probabilities = torch.log(torch.softmax(model(x), dim=1))  # <-- fault
    loss = F.nll_loss(log_probabilities, y)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
