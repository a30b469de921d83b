"""Error: an op without a derivative is on the way to the loss."""

import torch

shape = torch.tensor([1.5, 2.0, 3.0], requires_grad=True)
for _ in range(2):
    loss = torch.special.zeta(shape, torch.ones(3)).sum()  # <-- fault
    loss.backward()
    shape.data -= 0.1 * shape.grad
    shape.grad = None
