"""Warning: a weight that the program updates by hand is cut off, and never has a gradient."""

import torch

torch.manual_seed(0)
x, y = torch.randn(32, 3), torch.randn(32, 1)
w1, w2 = torch.randn(3, 8, requires_grad=True), torch.randn(8, 1, requires_grad=True)
for _ in range(3):
    h = (x @ w1).relu().detach()  # <-- fault
    loss = (h @ w2 - y).square().mean()
    loss.backward()
    for w in (w1, w2):
        if w.grad is not None:
            w.data -= 0.01 * w.grad
            w.grad = None
