"""Warning: one step with far too large a learning rate kills units that had worked till then."""

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
        h = F.relu(self.body(x))  # <-- fault
        return self.head(h)


model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for step in range(24):
    x = torch.rand(16, 8)
    y = x[:, :1] * x[:, 1:2]
    loss = F.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.param_groups[0]["lr"] = 100.0 if step == 6 else 0.05
    optimizer.step()
