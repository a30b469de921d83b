"""Error: an expanded tensor is written to."""

import torch

bias = torch.zeros(3, requires_grad=True)
x = torch.arange(6.0).reshape(2, 3)
for _ in range(2):
    h = (2 * bias).expand(2, 3).add_(x)  # <-- fault
    h.square().sum().backward()
    bias.data -= 0.1 * bias.grad
    bias.grad = None
