"""What a rule costs: its forward and backward against autograd's, at the sizes of real models.

Each rule is measured whole, and as a check runs it: without the lines that lead to the output
alone. Memory once used is kept for both sides (`keep_memory`): a page fresh from the system
costs more than the arithmetic on it, and who gets one is an accident of what was freed last.
"""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._pytree import tree_iter, tree_map

import backprop_tui.rules  # noqa: F401  (registers the rules)
from backprop_tui.lean import lean
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
    yield case("rms_norm", F.rms_norm, hidden, (768,), make(768))
    yield case("group_norm", F.group_norm, make(8, 64, 56, 56), 8, make(64), make(64))
    yield case("softmax", F.softmax, make(8, 12, 128, 128), -1)
    yield case("scaled_dot_product_attention", F.scaled_dot_product_attention, *heads)
    yield case("embedding", F.embedding, tokens, make(30000, 768))
    yield case("gelu", F.gelu, make(8, 128, 3072))
    yield case("gelu of tanh", F.gelu, make(8, 128, 3072), approximate="tanh")
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
    with torch.no_grad():
        _, backward = rule_of(case)(*case.args, **case.kwargs)
        backward(dy)


def by_needed_lines(case: Case, dy: Tensor) -> None:
    """The same without the lines that lead to the output alone, as a check runs it."""
    with torch.no_grad():
        _, backward = lean(rule_of(case))(*case.args, **case.kwargs)
        backward(dy)


def rule_of(case: Case) -> Callable[..., Any]:
    found = find(case.op)
    assert found is not None
    return found.function


def plain(case: Case) -> Case:
    """The case with tensors that do not require grad: what a rule is given."""
    args, kwargs = tree_map(
        lambda leaf: leaf.detach() if isinstance(leaf, Tensor) else leaf, (case.args, case.kwargs)
    )
    return Case(case.name, case.op, args, kwargs)


def costs(case: Case, rounds: int) -> tuple[float, float]:
    """The whole rule's time over autograd's, and that of its needed lines, all taken in turns."""
    dy = torch.randn_like(case.op(*case.args, **case.kwargs))
    detached = plain(case)
    runs = ((by_autograd, case), (by_rule, detached), (by_needed_lines, detached))
    taken: list[list[float]] = [[], [], []]
    for _ in range(rounds):
        for times, (run, given) in zip(taken, runs, strict=True):
            start = time.perf_counter()
            run(given, dy)
            times.append(time.perf_counter() - start)
    autograd, whole, needed = map(median, taken)
    return whole / autograd, needed / autograd


def keep_memory() -> None:
    """Have the C library keep what is freed; elsewhere than on Linux it does as it will."""
    if sys.platform == "linux":
        m_trim_threshold, m_mmap_threshold = -1, -3
        library = ctypes.CDLL(None)
        library.mallopt(m_trim_threshold, 2**31 - 1)
        library.mallopt(m_mmap_threshold, 2**25)


def rows(rounds: int = ROUNDS) -> Iterator[Row]:
    """Two ratios for each op."""
    keep_memory()
    for case in cases():
        whole, needed = costs(case, rounds)
        yield ratio(f"{case.name}, rule over autograd", whole, MOST)
        yield ratio(f"{case.name}, as a check runs it", needed, MOST)


if __name__ == "__main__":
    print(table(rows()))
