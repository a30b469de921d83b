"""Warning: the optimizer has stepped, and only then the gradients are computed by hand."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 5))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
x, y = torch.randn(2, 3), torch.randn(2, 5)
w1, b1, w2, b2 = (weight.data for weight in model.parameters())


def by_hand():
    """The gradients of the weights as they are."""
    hidden = torch.tanh(x @ w1.T + b1)
    dy = 2 * (hidden @ w2.T + b2 - y)
    return dy.T @ hidden, dy.sum(0)


for _ in range(3):
    loss = (model(x) - y).square().sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()  # <-- fault
    dw2, db2 = by_hand()
    print((dw2 - model[2].weight.grad).abs().max())
