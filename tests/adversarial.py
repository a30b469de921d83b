"""Small models on which two right gradients differ as much as rounding can make them.

Each function takes a seed, draws what it needs, and returns the loss to differentiate.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Loss = Callable[[], Tensor]


def attention_key_bias() -> Loss:
    """Softmax ignores what is added to a whole row, so the key bias has the gradient 0."""
    q, k, v = (nn.Linear(16, 16) for _ in range(3))
    x = torch.randn(2, 12, 16)

    def loss() -> Tensor:
        scores = q(x) @ k(x).transpose(1, 2) / 4
        mixed: Tensor = scores.softmax(-1) @ v(x)
        return mixed.square().mean()

    return loss


def fused_attention_key_bias() -> Loss:
    """The same in one op."""
    q, k, v = (nn.Linear(16, 16) for _ in range(3))
    x = torch.randn(2, 2, 12, 16)
    return lambda: F.scaled_dot_product_attention(q(x), k(x), v(x), is_causal=True).square().sum()


def conv_bias_before_batch_norm() -> Loss:
    """Batch norm takes out every channel's mean: the bias has the gradient 0."""
    model = nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 2, 3))
    x = torch.randn(4, 3, 9, 9)
    return lambda: model(x).square().mean()


def layer_norm_of_nearly_constant_rows() -> Loss:
    """Centering 100 ± 1e-3 leaves two digits."""
    x = (100 + 1e-3 * torch.randn(8, 16)).requires_grad_()
    norm, head = nn.LayerNorm(16), nn.Linear(16, 4)
    return lambda: head(norm(x)).square().sum()


def batch_norm_of_near_duplicates() -> Loss:
    """Rows that are almost the same: the variance is all cancellation."""
    x = (torch.randn(1, 8) + 1e-4 * torch.randn(16, 8)).requires_grad_()
    model = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 1))
    return lambda: model(x).square().mean()


def softmax_of_huge_logits() -> Loss:
    """Almost all probabilities are 0 or 1."""
    x = (1e3 * torch.randn(8, 20)).requires_grad_()
    return lambda: (x.softmax(-1) * torch.arange(20.0)).sum() + x.log_softmax(-1).mean()


def cross_entropy_of_sure_and_wrong() -> Loss:
    """Losses of a hundred, and of nearly nothing."""
    head, x, aim = nn.Linear(10, 7), 50 * torch.randn(16, 10), torch.randint(7, (16,))
    return lambda: F.cross_entropy(head(x), aim)


def tiny_gradients() -> Loss:
    """A loss of 1e-12: an absolute tolerance would accept any gradient."""
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))
    x = torch.randn(8, 8)
    return lambda: 1e-12 * model(x).square().mean()


def cancelling_sums() -> Loss:
    """Large terms that leave a small difference, squared."""
    a = (1e4 + torch.randn(64)).requires_grad_()
    b = (1e4 + torch.randn(64)).requires_grad_()
    return lambda: (a.sum() - b.sum()).square() + ((a - b) * (a + b)).mean().square()


def deep_narrow_tanh() -> Loss:
    """Thirty layers, three wide: every rounding is passed on thirty times."""
    layers = [layer for _ in range(30) for layer in (nn.Linear(3, 3), nn.Tanh())]
    model, x = nn.Sequential(*layers, nn.Linear(3, 1)), torch.randn(5, 3)
    return lambda: model(x).square().sum()


def gelu_and_layer_norm() -> Loss:
    """Six residual blocks, half of them with the tanh formula."""
    blocks = [
        nn.Sequential(nn.LayerNorm(16), nn.Linear(16, 32), nn.GELU(kind), nn.Linear(32, 16))
        for kind in ("none", "tanh") * 3
    ]
    modules, x = nn.ModuleList(blocks), torch.randn(6, 16)

    def loss() -> Tensor:
        y = x
        for block in modules:
            y = y + block(y)
        return y.square().mean()

    return loss


def contrast_of_near_duplicates() -> Loss:
    """Cosine similarities that are almost 1, over a low temperature."""
    x = (torch.randn(1, 16) + 1e-3 * torch.randn(8, 16)).requires_grad_()

    def loss() -> Tensor:
        unit = F.normalize(x, dim=-1)
        return F.cross_entropy(unit @ unit.T / 0.05, torch.arange(8))

    return loss


def saturated_gates() -> Loss:
    """Sigmoids and tanhs at the end of their range, where 1 − y² is cancellation."""
    x = (4 + 4 * torch.randn(8, 16)).requires_grad_()
    head = nn.Linear(16, 1)
    return lambda: F.binary_cross_entropy_with_logits(
        head(torch.sigmoid(x) * torch.tanh(x)), torch.ones(8, 1)
    )


def long_mean() -> Loss:
    """The mean and variance of very many, far from zero."""
    x = (30 + torch.randn(50_000)).requires_grad_()
    return lambda: (x.mean() - 30).square() + x.var() + (x * x).mean().sqrt()


MODELS: tuple[Callable[[], Loss], ...] = (
    attention_key_bias,
    fused_attention_key_bias,
    conv_bias_before_batch_norm,
    layer_norm_of_nearly_constant_rows,
    batch_norm_of_near_duplicates,
    softmax_of_huge_logits,
    cross_entropy_of_sure_and_wrong,
    tiny_gradients,
    cancelling_sums,
    deep_narrow_tanh,
    gelu_and_layer_norm,
    contrast_of_near_duplicates,
    saturated_gates,
    long_mean,
)
