"""Gradients assigned and applied by hand that are meant: projected, averaged, restored, noisy."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
x, y = torch.randn(16, 4), torch.randn(16, 1)
for _ in range(3):
    optimizer.zero_grad()
    (model(x[:8]) - y[:8]).square().mean().backward()
    kept = [weight.grad.clone() for weight in model.parameters()]
    optimizer.zero_grad()
    (model(x[8:]) - y[8:]).square().mean().backward()
    with torch.no_grad():
        for weight, other in zip(model.parameters(), kept):
            along = (weight.grad * other).sum() / other.square().sum()
            weight.grad = weight.grad - along.clamp(max=0) * other
            weight.grad = weight.grad / 2
            weight.grad = weight.grad + 1e-3 * torch.randn_like(weight)
    optimizer.step()

w = torch.randn(4, requires_grad=True)
for _ in range(4):
    loss = (x @ w - y[:, 0]).square().mean()
    (grad,) = torch.autograd.grad(loss, w)
    with torch.no_grad():
        w -= 0.1 * grad
    copy = w * 1.0
    print((x @ copy - y[:, 0]).square().mean())
