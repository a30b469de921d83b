"""Error: a weight was made without requires_grad."""

import torch

torch.manual_seed(0)
x, y = torch.randn(32, 3), torch.randn(32, 1)
w = torch.zeros(3, 1, requires_grad=True)
b = torch.zeros(1)
for _ in range(3):
    loss = (x @ w + b - y).square().mean()
    loss.backward()
    w.data -= 0.1 * w.grad
    b.data -= 0.1 * b.grad  # <-- fault
    w.grad = b.grad = None
