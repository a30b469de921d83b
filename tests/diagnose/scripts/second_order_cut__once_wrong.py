"""Warning: a gradient penalty goes through a Function that is once_differentiable, and raises."""

import torch


class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    @torch.autograd.function.once_differentiable  # <-- fault
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        return dy * 3 * x**2


torch.manual_seed(0)
w = torch.randn(4, 1, requires_grad=True)
x = torch.randn(8, 4, requires_grad=True)
optimizer = torch.optim.SGD([w], lr=1e-3)
for _ in range(3):
    out = Cube.apply(x @ w)
    (slope,) = torch.autograd.grad(out.sum(), x, create_graph=True)
    loss = out.square().mean() + slope.square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
