"""Gradients are emptied once they were used."""

import torch

torch.manual_seed(0)
x, y = torch.randn(32, 3), torch.randn(32, 1)
w = torch.zeros(3, 1, requires_grad=True)
for _ in range(3):
    w.grad = None
    loss = (x @ w - y).square().mean()
    loss.backward()
    w.data -= 0.1 * w.grad
