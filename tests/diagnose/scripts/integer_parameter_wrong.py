"""Error: a weight is made of integers."""

import torch

w = torch.tensor([1, 2, 3], requires_grad=True)  # <-- fault
for _ in range(2):
    (w * w).sum().backward()
    w.data -= 0.1 * w.grad
    w.grad = None
