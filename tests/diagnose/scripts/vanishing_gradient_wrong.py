"""Warning: ten sigmoids in a row leave the first layer next to no gradient."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)


class Net(nn.Module):
    def __init__(self, depth=10):
        super().__init__()
        self.first = nn.Linear(8, 16)
        self.rest = nn.ModuleList(nn.Linear(16, 16) for _ in range(depth))
        self.last = nn.Linear(16, 1)

    def forward(self, x):
        x = self.first(x)  # <-- fault
        for layer in self.rest:
            x = torch.sigmoid(layer(x))
        return self.last(x)


model = Net()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for _ in range(7):
    x = torch.randn(16, 8)
    y = x[:, :1] * x[:, 1:2]
    loss = F.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
