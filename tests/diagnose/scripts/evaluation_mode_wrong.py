"""Warning: after the first evaluation the model is trained in evaluation mode."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
model = nn.Sequential(
    nn.Linear(8, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 1)
)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for _epoch in range(3):
    for _ in range(2):
        x = torch.randn(16, 8)
        loss = F.mse_loss(model(x), x[:, :1])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()  # <-- fault
    with torch.no_grad():
        x = torch.randn(16, 8)
        print(F.mse_loss(model(x), x[:, :1]))
