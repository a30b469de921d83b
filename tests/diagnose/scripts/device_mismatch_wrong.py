"""Error: a tensor of the batch is on another device than the weights."""

import torch

torch.manual_seed(0)
x, y = torch.randn(32, 3), torch.randn(32, 1)
w = torch.zeros(3, 1, requires_grad=True)
shift = torch.ones(1, device="meta")
for _ in range(2):
    loss = (x @ w + shift - y).square().mean()  # <-- fault
    loss.backward()
    w.data -= 0.1 * w.grad
    w.grad = None
