"""An optimizer is given a leaf."""

import torch

torch.manual_seed(0)
x, y = torch.randn(32, 3), torch.randn(32, 1)
w = (0.1 * torch.randn(3, 1)).requires_grad_()
optimizer = torch.optim.SGD([w], lr=0.1)
for _ in range(2):
    optimizer.zero_grad()
    loss = (x @ w - y).square().mean()
    loss.backward()
    optimizer.step()
