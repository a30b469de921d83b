"""The bias starts at 0."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(8, 32)
        nn.init.zeros_(self.body.bias)
        self.head = nn.Linear(32, 1)

    def forward(self, x):
        h = F.relu(self.body(x))
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
