"""Rules at the edges that samples miss: NaN, infinities, zeros, masked classes."""

import math

import pytest
import torch
import torch.nn.functional as F

import backprop_tui.rules  # noqa: F401  (registers the rules)
from backprop_tui.rules.registry import find
from tests.rules.oracle import complaint

EDGES = [math.nan, math.inf, -math.inf, 0.0, -0.0, 1.0, -1.0, 1e-300, 1e300, -1e300]

SAFE = [
    torch.relu,
    torch.sigmoid,
    torch.tanh,
    torch.exp,
    torch.log,
    torch.sqrt,
    torch.rsqrt,
    torch.abs,
    torch.sum,
    torch.mean,
    torch.max,
    torch.square,
    torch.erf,
    F.elu,
    F.gelu,
    F.hardswish,
    F.hardtanh,
    F.leaky_relu,
    F.logsigmoid,
    F.relu6,
    F.selu,
    F.silu,
    F.softplus,
]


@pytest.mark.parametrize("value", EDGES)
@pytest.mark.parametrize("op", SAFE, ids=lambda op: op.__name__)
def test_a_rule_agrees_with_autograd_at_an_edge(op, value):
    x = torch.full((2, 3), value, dtype=torch.float64, requires_grad=True)
    assert complaint(find(op), op, (x,), {}) == ""


@pytest.mark.parametrize("op", [F.softmax, F.log_softmax, F.softmin])
@pytest.mark.parametrize("row", [[-math.inf, 0.0, 1.0], [-math.inf] * 3, [math.nan, 0.0, 1.0]])
def test_softmax_of_masked_rows(op, row):
    x = torch.tensor([row, [0.0, 1.0, 2.0]], dtype=torch.float64, requires_grad=True)
    assert complaint(find(op), op, (x,), {"dim": 1}) == ""


def test_cross_entropy_of_a_class_that_is_masked():
    x = torch.tensor([[-math.inf, 0.0, 1.0]], dtype=torch.float64, requires_grad=True)
    args = (x, torch.tensor([2]))
    assert complaint(find(F.cross_entropy), F.cross_entropy, args, {}) == ""


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_cross_entropy_where_every_target_is_ignored(reduction):
    x = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    call = (x, torch.tensor([-100, -100])), {"reduction": reduction}
    assert complaint(find(F.cross_entropy), F.cross_entropy, *call) == ""


@pytest.mark.parametrize("base", [0.0, -1.0, 2.0])
@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0, -1.0, 0.5])
def test_a_power_at_zero_and_below(base, exponent):
    pair = tuple(
        torch.tensor([v], dtype=torch.float64, requires_grad=True) for v in (base, exponent)
    )
    assert complaint(find(torch.pow), torch.pow, pair, {}) == ""
    assert complaint(find(torch.pow), torch.pow, (pair[0], exponent), {}) == ""


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_two_layer_net_is_derived_to_the_last_bit(dtype):
    for seed in range(50):
        torch.manual_seed(seed)
        x, target = torch.randn(2, 3, dtype=dtype), torch.randn(2, 5, dtype=dtype)
        shapes = [(4, 3), (4,), (5, 4), (5,)]
        w1, b1, w2, b2 = (torch.randn(s, dtype=dtype, requires_grad=True) for s in shapes)
        out = F.linear(torch.relu(F.linear(x, w1, b1)), w2, b2)
        expected = torch.autograd.grad(F.mse_loss(out, target, reduction="sum"), [w1, b1, w2, b2])
        with torch.no_grad():
            h, first = find(F.linear).function(x, w1, b1)
            a, bend = find(F.relu).function(h)
            y, second = find(F.linear).function(a, w2, b2)
            _, loss = find(F.mse_loss).function(y, target, reduction="sum")
            dy = loss(torch.ones((), dtype=dtype))[0]
            da, dw2, db2 = second(dy)
            _, dw1, db1 = first(bend(da))
        for ours, theirs in zip((dw1, db1, dw2, db2), expected, strict=True):
            assert torch.equal(ours, theirs)
