"""Two spirals, a small net, and a loss that wanders: docs/hunt.md finds out why."""

import math

import torch
from torch import nn
from torch.nn import functional as F


class SquaredReLU(torch.autograd.Function):
    """max(x, 0)² (So et al., "Primer", 2021)."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.clamp(min=0) ** 2

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        return dy * 2 * x


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(2, 32), nn.Linear(32, 32), nn.Linear(32, 2)

    def forward(self, x):
        h = SquaredReLU.apply(self.fc1(x))
        return self.fc3(SquaredReLU.apply(self.fc2(h)))


def spirals(count):
    """Points on two arms that wind around each other, and which arm each is on."""
    turn = torch.linspace(0.5, 4, count).repeat(2) * math.pi
    arm = torch.arange(2).repeat_interleave(count)
    angle = turn + arm * math.pi
    points = torch.stack((angle.cos(), angle.sin()), 1) * turn[:, None] / math.pi
    return points + 0.05 * torch.randn_like(points), arm


def main():
    torch.manual_seed(0)
    model = Net()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    points, arm = spirals(100)
    for step in range(1001):
        loss = F.cross_entropy(model(points), arm)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 200 == 0:
            print(f"step {step}  loss {loss.item():.4f}")


if __name__ == "__main__":
    main()
