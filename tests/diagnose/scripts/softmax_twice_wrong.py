"""Error: cross_entropy is given probabilities, and applies a second softmax."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(
    nn.Linear(4, 16),
    nn.ReLU(),
    nn.Linear(16, 3),
    nn.Softmax(dim=1),
)
optimizer = torch.optim.Adam(model.parameters())
criterion = nn.CrossEntropyLoss()
x, y = torch.randn(30, 4), torch.randint(3, (30,))
for _ in range(3):
    loss = criterion(model(x), y)  # <-- fault
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
