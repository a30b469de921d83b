"""The ruler's evidence: no false alarm where only rounding differs, and every bug found."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import backprop_tui as bp
from backprop_tui.compare import ROUNDING, Verdict, bound, compare
from backprop_tui.report import AGREED
from backprop_tui.rules import registry
from backprop_tui.witness import Witness

from .adversarial import MODELS

SEEDS = 30
HALF = 0.5 * torch.finfo(torch.float32).eps


def agree(loss: Callable[[], Tensor], where: str) -> None:
    """Every leaf, and every op alone and in the chain, is exact or rounding."""
    with bp.record() as tape:
        loss().backward()
    report = tape.check()
    assert report.ok, f"{where}\n{report}"
    assert report.parameters and report.coverage.missing == ()
    for row in report.ops:
        assert row.isolated in AGREED and row.chained in AGREED, f"{where}: {row}"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_no_false_alarm(model):
    for seed in range(SEEDS):
        torch.manual_seed(seed)
        agree(model(), f"seed {seed}")


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_no_false_alarm_in_double_precision(model):
    for seed in range(3):
        torch.manual_seed(seed)
        torch.set_default_dtype(torch.float64)
        try:
            agree(model(), f"seed {seed}")
        finally:
            torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_no_false_alarm_under_autocast(model):
    def loss():
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return made()

    for seed in range(3):
        torch.manual_seed(seed)
        made = model()
        agree(loss, f"seed {seed}")


class NoMask(torch.autograd.Function):
    """A relu that passes on all of dy."""

    @staticmethod
    def forward(ctx, input):
        return input.clamp(min=0)

    @staticmethod
    def backward(ctx, dy):
        return dy


class NoFactorTwo(torch.autograd.Function):
    """A square whose derivative is x."""

    @staticmethod
    def forward(ctx, input):
        ctx.save_for_backward(input)
        return input * input

    @staticmethod
    def backward(ctx, dy):
        (input,) = ctx.saved_tensors
        return dy * input


class NoMean(torch.autograd.Function):
    """A mean that forgets 1/N."""

    @staticmethod
    def forward(ctx, input, dim, keepdim):
        ctx.shape = input.shape
        return input.mean(dim, keepdim)

    @staticmethod
    def backward(ctx, dy):
        return dy.expand(ctx.shape), None, None


class ErfForTanh(torch.autograd.Function):
    """gelu by its tanh formula forward, by its erf formula backward."""

    @staticmethod
    def forward(ctx, input, approximate):
        ctx.save_for_backward(input)
        return F.gelu(input, approximate=approximate)

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        below = 0.5 * (1 + torch.erf(x / math.sqrt(2)))
        return dy * (below + x * torch.exp(-x * x / 2) / math.sqrt(2 * math.pi)), None


class StaleWeight(torch.autograd.Function):
    """A linear layer whose backward reads the weights after one step with lr 1e-4."""

    @staticmethod
    def forward(ctx, input, weight):
        ctx.save_for_backward(input, weight)
        return input @ weight.t()

    @staticmethod
    def backward(ctx, dy):
        input, weight = ctx.saved_tensors
        dweight = dy.t() @ input
        return dy @ (weight - 1e-4 * dweight), dweight


class LayerNorm(torch.autograd.Function):
    """A layer norm over rows whose backward takes another ε or another variance."""

    eps = 1e-5
    correction = 0

    @staticmethod
    def forward(ctx, input, shape):
        ctx.save_for_backward(input)
        return F.layer_norm(input, shape)

    @classmethod
    def backward(cls, ctx, dy):
        (x,) = ctx.saved_tensors
        scale = (x.var(-1, correction=cls.correction, keepdim=True) + cls.eps).rsqrt()
        xhat = (x - x.mean(-1, keepdim=True)) * scale
        shift, stretch = dy.mean(-1, keepdim=True), (dy * xhat).mean(-1, keepdim=True)
        return scale * (dy - shift - xhat * stretch), None


class OtherEps(LayerNorm):
    eps = 1e-6


class UnbiasedVariance(LayerNorm):
    correction = 1


# The wrong function, the one whose rule it has, and a call of it.
BUGS: dict[Any, tuple[Callable[..., Any], Callable[[Tensor], Tensor]]] = {
    NoMask: (F.relu, lambda x: NoMask.apply(x)),
    NoFactorTwo: (torch.square, lambda x: NoFactorTwo.apply(x)),
    NoMean: (torch.mean, lambda x: NoMean.apply(x, 0, True)),
    ErfForTanh: (F.gelu, lambda x: ErfForTanh.apply(x, "tanh")),
    StaleWeight: (F.linear, lambda x: StaleWeight.apply(x, torch.randn(9, 32).requires_grad_())),
    OtherEps: (F.layer_norm, lambda x: OtherEps.apply(x, (32,))),
    UnbiasedVariance: (F.layer_norm, lambda x: UnbiasedVariance.apply(x, (32,))),
}


def recorded(function, monkeypatch):
    """The wrong op in the middle of a chain of right ones, under the right rule."""
    meant, call = BUGS[function]
    monkeypatch.setitem(registry.RULES, function, registry.find(meant))
    first, last = nn.Linear(6, 32), nn.LazyLinear(3)
    x = torch.randn(16, 6)
    last(call(first(x)))
    with bp.record() as tape:
        y = last(call(first(x).tanh()))
        F.mse_loss(y, torch.zeros_like(y), reduction="sum").backward()
    return tape


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("function", BUGS, ids=lambda function: function.__name__)
def test_every_injected_bug_is_found_at_the_right_op(function, seed, monkeypatch):
    torch.manual_seed(seed)
    report = recorded(function, monkeypatch).check()
    verdicts = {row.op: row.isolated for row in report.ops}
    assert verdicts.pop(function.__name__) is Verdict.DIFFERENT
    assert verdicts and all(verdict in AGREED for verdict in verdicts.values()), verdicts
    assert not report.ok and report.worst.op == function.__name__


@pytest.mark.parametrize("seed", range(5))
def test_a_small_wrong_constant_is_between_and_settled_in_float64(seed, monkeypatch):
    """ε = 1e-6 for 1e-5 under a variance of 2: float32 alone cannot tell it from rounding."""
    torch.manual_seed(seed)
    monkeypatch.setitem(registry.RULES, OtherEps, registry.find(F.layer_norm))
    x = (1.4 * torch.randn(16, 32)).requires_grad_()
    with bp.record() as tape:
        OtherEps.apply(x, (32,)).pow(3).sum().backward()
    found = Witness(tape, tape.backwards[0]).isolated(tape.ops[0])
    assert 16 < found.rho <= 64 and found.verdict is Verdict.DIFFERENT


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_what_is_surely_rounding_is_so_by_any_truth(dtype):
    near = 0
    for seed in range(200):
        torch.manual_seed(seed)
        truth = torch.randn(20, dtype=torch.float64)
        step = 10 * float(torch.rand(())) * torch.finfo(dtype).eps
        manual, autograd = (
            (truth * (1 + step * torch.randn(20, dtype=torch.float64))).to(dtype) for _ in range(2)
        )
        if bound(manual, autograd) <= ROUNDING:
            near += 1
            found = compare(manual, autograd, lambda t=truth: t)
            assert found.verdict in AGREED and found.rho <= bound(manual, autograd) * 1.001
    assert 0 < near < 200


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_what_moves_as_far_by_itself_is_rounding_by_a_truth_with_perturbations(dtype):
    """Three draws around one truth, two of them ours: the third is as far as they are apart."""
    near = 0
    for seed in range(200):
        torch.manual_seed(seed)
        truth = torch.randn(20, dtype=torch.float64)
        noise = 40 * float(torch.rand(())) * torch.finfo(dtype).eps
        manual, again, autograd = (
            (truth * (1 + noise * far * torch.randn(20, dtype=torch.float64))).to(dtype)
            for far in (1, 1, 3 * float(torch.rand(())))
        )
        rho = bound(manual, autograd, again)
        if rho <= ROUNDING:
            near += 1
            moved = again.double()
            assert compare(manual, autograd, lambda t=truth: t, lambda m=moved: [m]).rho <= 16
    assert near > 0


def test_nothing_bounds_what_is_not_finite():
    ones, nan = torch.ones(3), torch.tensor([1.0, math.nan, 1.0])
    assert bound(ones, nan) == bound(nan, ones) == bound(ones, ones / 0) == math.inf
    assert bound(ones, ones * 2, nan) == math.inf


@pytest.mark.parametrize(
    ("derivative", "verdict"),
    [
        (lambda truth, gap: truth * (1 + 1e-12), Verdict.ROUNDING),
        (lambda truth, gap: truth * (1 + gap), Verdict.DIFFERENT),
        (lambda truth, gap: None, Verdict.AMBER),
    ],
)
def test_what_lies_between_is_settled_by_torchs_derivative_in_float64(derivative, verdict):
    truth, gap = torch.ones(5, dtype=torch.float64), 30 * HALF
    manual, autograd = truth.float(), (truth * (1 + gap)).float()
    found = compare(manual, autograd, lambda: truth, derivative=lambda: derivative(truth, gap))
    assert found.verdict is verdict and 16 < found.rho <= 64


def test_two_right_formulas_may_differ_by_what_cancels():
    """In float64 too, a result of 1e-9 that is left of terms of size 1 has few digits."""
    truth = torch.full((4,), 1e-9, dtype=torch.float64)
    autograd = truth.float() + 30 * HALF
    shaken = truth + HALF
    found = compare(truth.float(), autograd, lambda: truth, lambda: [shaken], lambda: truth + 1e-16)
    assert found.verdict is Verdict.ROUNDING and 16 < found.rho <= 64
