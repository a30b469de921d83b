"""Error: an update by hand makes a new tensor in place of the parameter."""

import torch

torch.manual_seed(0)
x, y = torch.randn(32, 3), torch.randn(32, 1)
w = torch.zeros(3, 1, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
for _ in range(3):
    loss = (x @ w + b - y).square().mean()
    loss.backward()
    with torch.no_grad():
        if w.grad is not None:
            w = w - 0.1 * w.grad  # <-- fault
            w.grad = None
        b -= 0.1 * b.grad
        b.grad = None
