"""The models that recording and checking are measured on, from tiny to GPT-2 small."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.models import GPT, ResidualBlock


class Case(nn.Module):
    """A model with its batch: ``case(*case.batch)`` is the loss of a training step."""

    def __init__(
        self, model: nn.Module, loss: Callable[..., Tensor], batch: tuple[Tensor, ...]
    ) -> None:
        super().__init__()
        self.model = model
        self.loss = loss
        self.batch = batch

    def forward(self, *batch: Tensor) -> Tensor:
        return self.loss(self.model, *batch)


def mlp(width: int, layers: int, batch: int) -> Case:
    """Linear and ReLU, as wide all the way."""
    parts = [part for _ in range(layers) for part in (nn.Linear(width, width), nn.ReLU())]
    x, y = torch.randn(batch, width), torch.randn(batch, width)
    return Case(nn.Sequential(*parts[:-1]), lambda f, x, y: F.mse_loss(f(x), y), (x, y))


def next_token(model: nn.Module, ids: Tensor) -> Tensor:
    """The loss of a language model."""
    return F.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())


def gpt2() -> Case:
    """GPT-2 small: 12 layers, 12 heads, 768 wide, 124 million parameters, and 128 tokens."""
    model = GPT(vocabulary=50257, width=768, layers=12, heads=12, context=1024)
    return Case(model, next_token, (torch.randint(50257, (1, 129)),))


class ResNet18(nn.Module):
    """The residual network of 18 layers, over pictures of any size."""

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 64, 7, 2, 3, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2, 1),
        )
        sizes = [(64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)]
        blocks = [
            block
            for channels, out, stride in sizes
            for block in (ResidualBlock(channels, out, stride), ResidualBlock(out, out, 1))
        ]
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(512, classes)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(F.adaptive_avg_pool2d(self.blocks(self.stem(x)), 1).flatten(1))
        return out


def resnet18() -> Case:
    """Four pictures of 96×96."""
    x, y = torch.randn(4, 3, 96, 96), torch.randint(1000, (4,))
    return Case(ResNet18(), lambda f, x, y: F.cross_entropy(f(x), y), (x, y))


class Cell(nn.Module):
    """A small recurrent cell of five ops."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.out = nn.Linear(2, 2), nn.Linear(2, 2)

    def forward(self, h: Tensor) -> Tensor:
        gate = torch.sigmoid(self.gate(h))
        return torch.tanh(self.out(gate * h))


class Chain(nn.Module):
    """A hundred cells one after the other, again and again."""

    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.ModuleList(Cell() for _ in range(100))

    def forward(self, h: Tensor, rounds: int) -> Tensor:
        for _ in range(rounds):
            for cell in self.cells:
                h = cell(h)
        return h


def chain(ops: int) -> Case:
    """A long tape of small ops under modules."""
    rounds = ops // 500
    return Case(Chain(), lambda f, h: f(h, rounds).sum(), (torch.randn(1, 2),))


CASES: dict[str, Callable[[], Case]] = {
    "tiny MLP 128×3": lambda: mlp(128, 3, 128),
    "MLP 1024×8": lambda: mlp(1024, 8, 64),
    "GPT-2 124M": gpt2,
    "ResNet-18": resnet18,
}
