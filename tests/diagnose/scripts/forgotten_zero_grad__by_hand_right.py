"""A step written by hand that empties the gradients once they are used."""

import torch

torch.manual_seed(0)
x, y = torch.randn(32, 3), torch.randn(32, 1)
w1 = torch.randn(3, 8, requires_grad=True)
w2 = torch.randn(8, 1, requires_grad=True)
for _ in range(4):
    loss = ((x @ w1).relu() @ w2 - y).square().mean()
    loss.backward()
    with torch.no_grad():
        w1 -= 0.01 * w1.grad
        w2.sub_(w2.grad, alpha=0.01)
        w1.grad.zero_()
        w2.grad = None
