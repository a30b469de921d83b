"""One op in a file of its own: its data to the bit, and a verdict that is right."""

from __future__ import annotations

import math
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import backprop_tui as bp
from backprop_tui.capsule import write
from backprop_tui.compare import same_bits
from backprop_tui.errors import UserError
from backprop_tui.tape import tensors

Case = dict[str, Any]


def recorded(function: Callable[..., Tensor], *inputs: Tensor) -> bp.Tape:
    leaves = [tensor.clone().requires_grad_(tensor.is_floating_point()) for tensor in inputs]
    with bp.record() as tape:
        output = function(*leaves)
        real = torch.view_as_real(output) if output.is_complex() else output
        (real * torch.randn_like(real)).sum().backward()
    return tape


def opened(folder: Path, tape: bp.Tape, name: str) -> Case:
    """The capsule of the first op of that name, as Python reads it."""
    op = next(op for op in tape.ops if op.name == name)
    return runpy.run_path(str(write(folder, tape.backwards[0], op)))


def failures(case: Case) -> set[str]:
    """Which of its tests fail or say nothing, and for which input."""
    found = set()
    for test in ("test_the_gradient", "test_the_slope"):
        for name in case["RECORDED"]:
            try:
                case[test](name)
            except AssertionError:
                found.add(f"{test}[{name}]")
            except pytest.skip.Exception:
                found.add(f"{test}[{name}] skipped")
    return found


SCALE = 2.0
TABLE = torch.tensor([1.0, 2.0, 3.0])


def scaled(x: Tensor) -> Tensor:
    return x * SCALE


class Bent(torch.autograd.Function):
    """Its backward forgets the mask."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return scaled(x).clamp(min=0) * TABLE.to(x.dtype)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Any:
        return dy * SCALE * TABLE.to(dy.dtype)


class Mended(Bent):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return Bent.forward(ctx, x)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return Bent.backward(ctx, dy) * (x > 0)


class Power(torch.autograd.Function):
    @staticmethod
    def forward(x: Tensor, n: int) -> Tensor:
        return x**n

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        x, ctx.n = inputs
        ctx.save_for_backward(x)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return dy * ctx.n * x ** (ctx.n - 1), None


def closed_over(factor: float) -> type[torch.autograd.Function]:
    def errors(x: Tensor) -> Tensor:  # as a function of the capsule is called
        return x * factor

    class Inner(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return errors(x)

        @staticmethod
        def backward(ctx: Any, dy: Tensor) -> Any:
            return errors(dy)

    return Inner


X = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
BIG = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("x", [X, BIG], ids=["element by element", "along a direction"])
def test_a_wrong_function_fails_by_its_slope(tmp_path, x):
    case = opened(tmp_path, recorded(Bent.apply, x), "Bent")
    assert failures(case) == {"test_the_slope[x]"}


@pytest.mark.parametrize("x", [X, BIG, X.relu(), BIG.relu()])
def test_a_right_function_passes_on_its_kinks_too(tmp_path, x):
    assert failures(opened(tmp_path, recorded(Mended.apply, x), "Mended")) == set()


def test_what_a_function_refers_to_comes_with_it(tmp_path):
    assert failures(opened(tmp_path, recorded(closed_over(2.5).apply, X), "Inner")) == set()
    case = opened(tmp_path, recorded(lambda x: Power.apply(x, 3), X), "Power")
    assert failures(case) == set()
    assert case["Power"] is not Power


def test_a_saved_value_that_was_edited_behind_autograd_fails_by_its_gradient_alone(tmp_path):
    def edited(x: Tensor) -> Tensor:
        y = x.exp()
        y.data.mul_(3)
        return y

    case = opened(tmp_path, recorded(edited, X), "exp")
    assert failures(case) == {"test_the_gradient[input]"}


def test_a_wrong_rule_fails_by_its_gradient_alone(tmp_path):
    @bp.rule(Power, samples=lambda make: [bp.sample(make(3), 3)])
    def power(x, n):
        y = x**n

        def backward(dy):
            dx = dy * n * y
            return dx

        return y, backward

    case = opened(tmp_path, recorded(lambda x: Power.apply(x, 3), X), "Power")
    assert failures(case) == {"test_the_gradient[x]"}
    assert "our rule stands alone" in case["__doc__"]


def under_autocast(x: Tensor) -> Tensor:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return F.linear(x, x)


def written_into(x: Tensor) -> Tensor:
    y = x * 1
    y[1:, torch.tensor([0, 2])] = x[:3, :2]
    return y


LSTM = torch.nn.LSTM(3, 4, 2, dropout=0.3)


@pytest.mark.parametrize(
    ("name", "function", "x"),
    [
        ("dropout", lambda x: F.dropout(x, 0.4), BIG),
        ("scaled_dot_product_attention", lambda x: F.scaled_dot_product_attention(x, x, x), X),
        ("linear", under_autocast, X),
        ("__setitem__", written_into, X),
        ("relu", lambda x: F.relu(x * 1, inplace=True), X),
        ("softmax", lambda x: x.t().softmax(0), X),
        ("cumsum", lambda x: x[:1].expand(4, 3).cumsum(0), X),
        ("matmul", lambda x: x @ x.t(), X.to(torch.bfloat16)),
        ("linalg_inv", lambda x: torch.linalg.inv(torch.view_as_complex(x)), torch.randn(3, 3, 2)),
        ("exp", lambda x: x.exp(), torch.tensor(0.5)),
        ("sqrt", lambda x: (x * 0).sqrt(), X),
        ("lstm", lambda x: LSTM(x)[0], X),
        ("cat", lambda x: torch.cat([x, x], 1), X),
    ],
)
def test_the_data_is_what_the_op_had(tmp_path, name, function, x):
    tape = recorded(function, x)
    backward = tape.backwards[0]
    op = next(op for op in tape.ops if op.name == name)
    case = opened(tmp_path, tape, name)
    read = dict(zip(op.inputs, tensors((op.args, op.kwargs)), strict=True))
    for mine, theirs in zip(case["INPUTS"].values(), read.values(), strict=True):
        assert same_bits(mine, theirs) and mine.stride() == theirs.stride()
    for mine, value in zip(case["COTANGENTS"], op.results, strict=True):
        if value in backward.cotangents:
            assert same_bits(mine, backward.cotangents[value])
    # At 0 a root has no slope, and no noise says so.
    assert failures(case) == ({"test_the_slope[input] skipped"} if name == "sqrt" else set())


def test_large_tensors_lie_in_a_file_beside(tmp_path):
    x, weight = torch.randn(300, 200), torch.randn(100, 200)
    case = opened(tmp_path, recorded(F.linear, x, weight), "linear")
    assert same_bits(case["INPUTS"]["input"], x) and failures(case) == set()
    assert (tmp_path / "capsule_linear.pt").stat().st_size > x.nbytes
    assert (tmp_path / "capsule_linear.py").stat().st_size < x.nbytes


def test_nothing_is_written_over(tmp_path):
    tape = recorded(torch.exp, X)
    taken = tmp_path / "capsule_exp_2.pt"
    taken.touch()
    written = [write(tmp_path, tape.backwards[0], tape.ops[0]).name for _ in range(3)]
    assert written == ["capsule_exp.py", "capsule_exp_3.py", "capsule_exp_4.py"]
    assert taken.stat().st_size == 0


class Told(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, module: torch.nn.Module) -> Tensor:
        return x * 1

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Any:
        return dy, None


class Single(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        if x.dtype != torch.float32:
            raise TypeError("float32 only")
        return x * 1

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Any:
        return dy


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (lambda x: Told.apply(x, torch.nn.ReLU()), "cannot be written down: it is a ReLU"),
        (Single.apply, "has no rule and refuses float64"),
        (lambda x: (x.detach().exp() + x) * 1, "no gradient flows through detach"),
    ],
)
def test_what_cannot_be_put_into_one_is_said(tmp_path, function, why):
    tape = recorded(function, X)
    with pytest.raises(UserError, match=why):
        write(tmp_path, tape.backwards[0], tape.ops[0])
    assert not list(tmp_path.iterdir())


def test_it_says_what_it_is(tmp_path):
    model = torch.nn.Sequential(torch.nn.Linear(3, 2))
    with bp.record(model) as tape:
        model(X).sum().backward()
    path = write(tmp_path, tape.backwards[0], tape.ops[0])
    told = runpy.run_path(str(path))["__doc__"]
    assert "linear" in told and "0 (Linear)" in told and f"torch {torch.__version__}" in told
    assert "test_capsule.py" in told and "model(X).sum().backward()" in told
    assert math.prod(X.shape) == 12 and "torch.tensor([[" in path.read_text()
