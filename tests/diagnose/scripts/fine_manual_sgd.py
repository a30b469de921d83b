"""Gradient descent by hand, with weight decay: under no_grad, and through .data."""

import torch

torch.manual_seed(0)
w1 = torch.randn(4, 16, requires_grad=True)
w2 = (torch.randn(16, 1) / 4).requires_grad_()
x, y = torch.randn(32, 4), torch.randn(32, 1)
for _ in range(6):
    loss = ((x @ w1).clamp(min=0) @ w2 - y).square().mean()
    loss.backward()
    with torch.no_grad():
        w1 -= 0.01 * (w1.grad + 1e-4 * w1)
        w1.grad = None
    w2.data.add_(w2.grad, alpha=-0.01)
    w2.grad.zero_()
