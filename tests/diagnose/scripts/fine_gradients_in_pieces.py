"""A shared weight by hand, its two paths added, assigned or applied in pieces."""

import torch

torch.manual_seed(0)
w = (torch.randn(4, 4) / 2).requires_grad_()
x, y = torch.randn(8, 4), torch.randn(8, 4)
for step in range(6):
    hidden = torch.tanh(x @ w)
    out = hidden @ w
    loss = (out - y).square().sum()
    loss.backward()
    with torch.no_grad():
        dout = 2 * (out - y)
        dhidden = (dout @ w.T) * (1 - hidden**2)
        first, second = x.T @ dhidden, hidden.T @ dout
        if step % 3 == 0:
            w.grad = first
            w.grad += second
            w -= 1e-3 * w.grad
        elif step % 3 == 1:
            w -= 1e-3 * first
            w -= 1e-3 * second
        else:
            w -= 1e-3 * first + (1e-3 * second + 1e-4 * w)
    w.grad = None

for _ in range(3):
    loss = (torch.relu(x @ w - 100) @ w).sum() + (x @ w).sum()
    loss.backward()
    w.grad = torch.zeros_like(w) * 1.0
