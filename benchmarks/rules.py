"""What a rule costs: its forward and backward against autograd's, at the sizes of real models."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._pytree import tree_iter, tree_map

import backprop_tui.rules  # noqa: F401  (registers the rules)
from backprop_tui.rules.registry import find

from .measure import Row, median, ratio, table

ROUNDS = 15
MOST = 1.5


@dataclass(frozen=True)
class Case:
    """One op and the arguments of one call of it."""

    name: str
    op: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def cases() -> Iterator[Case]:
    """The ops that dominate real models: batches of 8, 128 tokens, 768 features."""
    torch.manual_seed(0)

    def make(*shape: int) -> Tensor:
        return torch.randn(shape).requires_grad_()

    def case(name: str, op: Callable[..., Any], *args: Any, **kwargs: Any) -> Case:
        return Case(name, op, args, kwargs)

    hidden = make(8, 128, 768)
    heads = [make(8, 12, 128, 64) for _ in range(3)]
    tokens = torch.randint(30000, (8, 128))
    yield case("linear", F.linear, hidden, make(768, 768), make(768))
    yield case("matmul", torch.matmul, heads[0], make(8, 12, 64, 128))
    yield case("conv2d", F.conv2d, make(8, 64, 28, 28), make(64, 64, 3, 3), make(64), padding=1)
    yield case("layer_norm", F.layer_norm, hidden, (768,), make(768), make(768))
    yield case(
        "batch_norm",
        F.batch_norm,
        make(8, 64, 56, 56),
        torch.zeros(64),
        torch.ones(64),
        make(64),
        make(64),
        training=True,
    )
    yield case("softmax", F.softmax, make(8, 12, 128, 128), -1)
    yield case("scaled_dot_product_attention", F.scaled_dot_product_attention, *heads)
    yield case("embedding", F.embedding, tokens, make(30000, 768))
    yield case("gelu", F.gelu, make(8, 128, 3072))
    yield case("relu", F.relu, make(8, 128, 3072))
    yield case("silu", F.silu, make(8, 128, 3072))
    yield case("cross_entropy", F.cross_entropy, make(1024, 10000), torch.randint(10000, (1024,)))


def by_autograd(case: Case, dy: Tensor) -> None:
    """Forward and backward as PyTorch does them."""
    leaves = [leaf for leaf in tree_iter((case.args, case.kwargs)) if isinstance(leaf, Tensor)]
    wanted = [leaf for leaf in leaves if leaf.requires_grad]
    torch.autograd.grad(case.op(*case.args, **case.kwargs), wanted, dy)


def by_rule(case: Case, dy: Tensor) -> None:
    """Forward and backward in the lines of the rule."""
    found = find(case.op)
    assert found is not None
    with torch.no_grad():
        _, backward = found.function(*case.args, **case.kwargs)
        backward(dy)


def plain(case: Case) -> Case:
    """The case with tensors that do not require grad: what a rule is given."""
    args, kwargs = tree_map(
        lambda leaf: leaf.detach() if isinstance(leaf, Tensor) else leaf, (case.args, case.kwargs)
    )
    return Case(case.name, case.op, args, kwargs)


def cost(case: Case, rounds: int) -> float:
    """The rule's time over autograd's, the two measured in turns."""
    dy = torch.randn_like(case.op(*case.args, **case.kwargs))
    detached = plain(case)
    taken: dict[str, list[float]] = {"rule": [], "autograd": []}
    for _ in range(rounds):
        for name, run, given in (
            ("autograd", by_autograd, case),
            ("rule", by_rule, detached),
        ):
            start = time.perf_counter()
            run(given, dy)
            taken[name].append(time.perf_counter() - start)
    return median(taken["rule"]) / median(taken["autograd"])


def rows(rounds: int = ROUNDS) -> list[Row]:
    """One ratio for each op."""
    return [ratio(f"{case.name}, rule over autograd", cost(case, rounds), MOST) for case in cases()]


if __name__ == "__main__":
    print(table(rows()))
