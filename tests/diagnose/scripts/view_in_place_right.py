"""A tensor is unbound, and none of its parts is written to."""

import torch

x = torch.arange(6.0).reshape(2, 3).requires_grad_()
for _ in range(2):
    first, second = (2 * x).unbind()
    first = first + 1
    (first * second).sum().backward()
    x.grad = None
