"""Gradients asserted in a test, by the function and by pytest's fixture."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import backprop_tui as bp

X = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))


class Doubled(torch.autograd.Function):
    """Its backward is twice what it should be."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x * 1

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Tensor:
        return dy * 2


class Right(Doubled):
    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Tensor:
        return dy


class Unsure(Right):
    """What it computes is noise to finite differences."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.to(torch.float16).to(x.dtype)


def test_a_function_of_inputs_that_require_grad():
    x = X.clone().requires_grad_()
    report = bp.assert_gradients(F.linear, x, torch.ones(2, 3), bias=torch.ones(2))
    assert report.ok and [row.shape for row in report.parameters] == [(4, 3)]
    assert x.grad is None


def test_a_module_and_what_a_function_closes_over():
    model = nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5), nn.Tanh())
    assert len(bp.assert_gradients(model, X).parameters) == 4
    report = bp.assert_gradients(lambda x: model(x).square(), X.clone().requires_grad_())
    assert {row.name for row in report.parameters} >= {"0.weight", "1.bias"}
    assert all(parameter.grad is None for parameter in model.parameters())


def test_the_graph_that_an_input_has_is_left_alone():
    x = X.clone().requires_grad_()
    h = x * 2
    report = bp.assert_gradients(torch.exp, h)
    assert report.coverage.unseen == () and len(report.parameters) == 1
    h.sum().backward()
    assert torch.equal(x.grad, torch.full_like(X, 2))


@pytest.mark.parametrize(
    "fn",
    [
        nn.LSTM(3, 2),
        lambda x: torch.fft.fft(x),
        lambda x: {"loss": x.sum()},
        lambda x: (x.max(1), x.sum()),
    ],
)
def test_outputs_of_any_form(fn):
    assert bp.assert_gradients(fn, X.clone().requires_grad_()).ok


def test_random_numbers_go_on_as_if_nothing_had_been_asserted():
    torch.manual_seed(0)
    F.dropout(X, 0.5)
    expected = torch.rand(3)
    torch.manual_seed(0)
    bp.assert_gradients(F.dropout, X.clone().requires_grad_(), 0.5)
    assert torch.equal(torch.rand(3), expected)


def test_a_wrong_gradient_fails_with_the_table_and_a_capsule(tmp_path):
    with pytest.raises(AssertionError) as raised:
        bp.assert_gradients(Doubled.apply, X.clone().requires_grad_(), capsule=tmp_path)
    said = str(raised.value)
    unwrapped = " ".join(said.split())  # where a line ends depends on the length of its path
    assert "Doubled.backward stands alone" in unwrapped and "┃ verdict" in said
    assert max(map(len, said.splitlines())) <= 100 + len(str(tmp_path))
    (capsule,) = tmp_path.iterdir()
    assert capsule.name == "capsule_Doubled.py" and str(capsule) in said


def test_a_function_that_differences_verify_needs_no_rule():
    report = bp.assert_gradients(Right.apply, X.clone().requires_grad_())
    assert report.coverage.missing == ("Right",)


def test_what_nothing_can_verify_fails():
    with pytest.raises(AssertionError, match="not verified"):
        bp.assert_gradients(Unsure.apply, X.clone().requires_grad_())


def test_nothing_to_differentiate_is_said():
    with pytest.raises(ValueError, match="let an input require grad"):
        bp.assert_gradients(torch.exp, X)


SUITE = """
import pytest
import torch
from tests.test_assertion import Doubled, X
from torch import nn

def step(function):
    model = nn.Linear(3, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        function(model(X)).sum().backward()
        optimizer.step()

def test_right(gradients):
    step(torch.exp)

def test_wrong(gradients):
    step(Doubled.apply)

def test_vacuous(gradients):
    pass

def test_own_failure(gradients):
    step(Doubled.apply)
    assert 0, "of its own"

@pytest.mark.usefixtures("gradients")
class TestAll:
    def test_right(self):
        step(torch.exp)

    def test_wrong(self):
        step(Doubled.apply)

    def test_other(self):
        pass

def test_unwatched():
    step(Doubled.apply)
"""


def test_the_fixture_fails_the_tests_whose_gradients_are_wrong(tmp_path):
    (tmp_path / "test_suite.py").write_text(SUITE)
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-p", "backprop_tui.pytest_plugin", "-rA"]
    command += ["--rootdir", str(tmp_path), f"--backprop-capsule={tmp_path}", str(tmp_path)]
    root = Path(__file__).parents[1]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, env=environment)
    lines = done.stdout.splitlines()
    outcomes = [line.split(" - ")[0].split() for line in lines if "test_suite.py::" in line]
    found = {name.split("::", 1)[1]: outcome for outcome, name in outcomes if outcome.isupper()}
    failed = {"test_wrong", "test_vacuous", "test_own_failure", "TestAll::test_wrong"}
    passed = {"test_right", "TestAll::test_right", "TestAll::test_other", "test_unwatched"}
    assert found == dict.fromkeys(failed, "FAILED") | dict.fromkeys(passed, "PASSED"), done.stdout
    assert "first op at fault: Doubled" in done.stdout and "0 errors" not in done.stdout
    assert "nothing was differentiated" in done.stdout and "of its own" in done.stdout
    assert sorted(tmp_path.glob("capsule_*.py")) == [
        tmp_path / "capsule_Doubled.py",
        tmp_path / "capsule_Doubled_2.py",
    ]


def test_the_plugin_costs_no_import():
    said = "import sys, backprop_tui.pytest_plugin; print({'torch', 'textual'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr
