"""Gradients by hand from the weights as they are, before each forward pass and at some steps."""

import torch

torch.manual_seed(0)
w = torch.randn(4, 1, requires_grad=True)
x, y = torch.randn(8, 4), torch.randn(8, 1)


def by_hand():
    """The gradient, also where autograd follows it."""
    return x.T @ (2 * (x @ w - y))


for step in range(6):
    before = by_hand()
    loss = (x @ w - y).square().sum()
    loss.backward()
    if step % 2:
        out = x @ w
        print(x.T @ (2 * (out - y)) - w.grad, before - w.grad)
    with torch.no_grad():
        w -= 1e-3 * w.grad
        w.grad = None
print((x @ w - y).square().sum())
