"""Warning: the input is not scaled, and tanh is flat nearly everywhere."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(8, 32)
        self.head = nn.Linear(32, 1)

    def forward(self, x):
        h = torch.tanh(self.body(x))  # <-- fault
        return self.head(h)


model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for _ in range(12):
    x = 255 * torch.rand(16, 8)
    y = x[:, :1] / 255
    loss = F.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
