"""A learning rate under which they do not."""

import torch

torch.manual_seed(0)
x, y = torch.randn(32, 6), torch.randn(32, 1)
w1 = torch.randn(6, 10, requires_grad=True)
w2 = torch.randn(10, 1, requires_grad=True)
for _ in range(10):
    loss = ((x @ w1).relu() @ w2 - y).pow(2).sum()
    loss.backward()
    with torch.no_grad():
        w1 -= 1e-4 * w1.grad
        w2 -= 1e-4 * w2.grad
        w1.grad = w2.grad = None
