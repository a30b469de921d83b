"""Error: one of several views of a tensor is written to."""

import torch

x = torch.arange(6.0).reshape(2, 3).requires_grad_()
for _ in range(2):
    first, second = (2 * x).unbind()
    first += 1  # <-- fault
    (first * second).sum().backward()
    x.grad = None
