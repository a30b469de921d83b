"""Custom Functions that are right: kinks at 0, several outputs, in place, once differentiable."""

import torch
from torch import nn
from torch.autograd.function import once_differentiable


class ReLU(torch.autograd.Function):
    """Its inputs lie on the kink."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return grad_output * (x > 0)


class MinMax(torch.autograd.Function):
    """Two outputs, one of which goes unused."""

    @staticmethod
    def forward(ctx, x):
        low, high = x.min(1), x.max(1)
        ctx.save_for_backward(low.indices, high.indices)
        ctx.shape = x.shape
        return low.values, high.values

    @staticmethod
    def backward(ctx, grad_low, grad_high):
        grad = torch.zeros(ctx.shape)
        for grad_output, index in zip((grad_low, grad_high), ctx.saved_tensors, strict=True):
            grad.scatter_add_(1, index[:, None], grad_output[:, None])
        return grad


class Double(torch.autograd.Function):
    """Works in place."""

    @staticmethod
    def forward(ctx, x):
        ctx.mark_dirty(x)
        return x.mul_(2)

    @staticmethod
    def backward(ctx, grad_output):
        return 2 * grad_output


class Masked(torch.autograd.Function):
    """A mask and a number that need no gradient; its ctx is set up apart."""

    @staticmethod
    def forward(x, mask, fill):
        return torch.where(mask, x, fill)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[1])

    @staticmethod
    def backward(ctx, grad_output):
        (mask,) = ctx.saved_tensors
        return grad_output * mask, None, None


class Dropout(torch.autograd.Function):
    """Draws random numbers."""

    @staticmethod
    def forward(ctx, x, p):
        mask = (torch.rand_like(x) > p) / (1 - p)
        ctx.save_for_backward(mask)
        return x * mask

    @staticmethod
    def backward(ctx, grad_output):
        (mask,) = ctx.saved_tensors
        return grad_output * mask, None


class InSinglePrecision(torch.autograd.Function):
    """Whatever comes in, it computes in float32."""

    @staticmethod
    def forward(ctx, x):
        y = x.float().tanh()
        ctx.save_for_backward(y)
        return y.to(x.dtype)

    @staticmethod
    def backward(ctx, grad_output):
        (y,) = ctx.saved_tensors
        return (grad_output.float() * (1 - y * y)).to(grad_output.dtype)


torch.manual_seed(0)
model = nn.Linear(6, 6)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for _ in range(3):
    x = torch.relu(torch.randn(8, 6))  # half of it is exactly 0
    x.requires_grad_()
    h = ReLU.apply(x) + ReLU.apply(model(x))
    h = InSinglePrecision.apply(Double.apply(h))
    h = Masked.apply(h, torch.rand(8, 6) > 0.5, 0.0)
    h = Dropout.apply(h, 0.3)
    _, high = MinMax.apply(h)
    loss = high.square().mean() + h.mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
