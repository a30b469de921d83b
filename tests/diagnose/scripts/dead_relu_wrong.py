"""Warning: a large negative bias keeps nearly all units of a layer at 0 for every input."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(8, 32)
        nn.init.constant_(self.body.bias, -4.0)
        self.head = nn.Linear(32, 1)

    def forward(self, x):
        h = F.relu(self.body(x))  # <-- fault
        return self.head(h)


model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for _ in range(12):
    x = torch.randn(16, 8)
    y = x[:, :1] * x[:, 1:2]
    loss = F.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
