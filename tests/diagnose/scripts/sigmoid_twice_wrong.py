"""Error: binary_cross_entropy_with_logits is given probabilities."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
optimizer = torch.optim.Adam(model.parameters())
criterion = nn.BCEWithLogitsLoss()
x = torch.randn(30, 4)
y = (x[:, 0] > 0).float()
for _ in range(3):
    prediction = torch.sigmoid(model(x)).squeeze(1)
    loss = criterion(prediction, y)  # <-- fault
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
