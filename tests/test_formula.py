"""A rule's line as mathematics and as shapes."""

from __future__ import annotations

import ast

import pytest
import torch

from backprop_tui.formula import algebra, formula
from backprop_tui.lines import Line

A, B, V = torch.ones(2, 5), torch.ones(2, 4), torch.ones(5)
READS = {
    "a": A,
    "b": B,
    "v": V,
    "s": torch.tensor(2.0),
    "k": 3.0,
    "mask": A > 0,
    "eps": 1e-5,
    "dim": 1,
}
NAMES = {"a": "re", "b": "x4", "mask": "x3"}


def line(text: str) -> Line:
    statement = ast.parse(text).body[0]
    value = eval(
        text.partition("=")[2],
        {"torch": torch, "Tensor": torch.Tensor, "unbroadcast": _keep},
        dict(READS),
    )
    return Line("rule", __file__, 1, 1, text, "out", statement, READS, value)


def _keep(a, like):
    return a


@pytest.mark.parametrize(
    ("text", "shown", "shapes"),
    [
        ("out = a.t() @ b", "y = reᵀ · x4", "2×5ᵀ · 2×4 = 5×4"),
        ("out = a.T @ b", "y = reᵀ · x4", "2×5ᵀ · 2×4 = 5×4"),
        ("out = a.mT @ b", "y = reᵀ · x4", "2×5ᵀ · 2×4 = 5×4"),
        ("out = a + v", "y = re + v", "2×5 + 5 = 2×5"),
        ("out = torch.addcmul(v, a, v)", "y = v + re ∘ v", "5 + 2×5 ∘ 5 = 2×5"),
        ("out = torch.lerp(v, a, v)", "y = v + v ∘ (re − v)", "5 + 5 ∘ (2×5 − 5) = 2×5"),
        ("out = torch.addcmul(v, a, v, value=-1)", "y = v − re ∘ v", "5 − 2×5 ∘ 5 = 2×5"),
        ("out = torch.addcmul(v, a, v, value=2)", "y = v + 2·(re ∘ v)", "5 + 2 · (2×5 ∘ 5) = 2×5"),
        ("out = a - (a - v)", "y = re − (re − v)", "2×5 − (2×5 − 5) = 2×5"),
        ("out = a - a - v", "y = re − re − v", "2×5 − 2×5 − 5 = 2×5"),
        ("out = 2 * a * s", "y = 2·re·s", "2 · 2×5 · 1 = 2×5"),
        ("out = (a + v) * a", "y = (re + v) ∘ re", "(2×5 + 5) ∘ 2×5 = 2×5"),
        ("out = a / k", "y = re / k", "2×5 / 3 = 2×5"),
        ("out = a ** 2", "y = re²", "2×5² = 2×5"),
        ("out = -a", "y = −re", "−2×5 = 2×5"),
        ("out = a > 0", "y = re > 0", "2×5 > 0 = 2×5"),
        ("out = torch.where(mask, a, 0)", "y = x3 ∘ re", "2×5 ∘ 2×5 = 2×5"),
        ("out = torch.where(mask, a, v)", "y = where(x3, re, v)", "where(2×5, 2×5, 5) = 2×5"),
        ("out = a.sum(0)", "y = Σ₀ re", "Σ₀ 2×5 = 5"),
        ("out = (a * a).sum()", "y = Σ (re ∘ re)", "Σ (2×5 ∘ 2×5) = scalar"),
        ("out = a.mean(-1)", "y = mean₋₁ re", "mean₋₁ 2×5 = 2"),
        ("out = torch.exp(a)", "y = exp(re)", "exp(2×5) = 2×5"),
        ("out = a.to(a.dtype)", "y = re", "2×5 = 2×5"),
        ("out = unbroadcast(a * k, a)", "y = re·k", "2×5 · 3 = 2×5"),
        (
            "out = torch.where(mask, a, 0).unsqueeze(0)",
            "y = unsqueeze(x3 ∘ re, 0)",
            "unsqueeze(2×5 ∘ 2×5, 0) = 1×2×5",
        ),
        ("out = a.expand(*[2, 5])", "y = expand(re, *[2, 5])", "expand(2×5, *[2, 5]) = 2×5"),
        ("out = a.sum(dim)", "y = Σ₁ re", "Σ₁ 2×5 = 2"),
        ("out = a if isinstance(a, Tensor) and k != 3 else v", "y = v", "5 = 5"),
        ("out = a if k == 3 else v", "y = re", "2×5 = 2×5"),
        ("out = a + (v if s is None else v * k)", "y = re + v·k", "2×5 + 5 · 3 = 2×5"),
        (
            "out = torch.linalg.matrix_exp(a.T @ a)",
            "y = matrix_exp(reᵀ · re)",
            "matrix_exp(2×5ᵀ · 2×5) = 5×5",
        ),
        ("out = a[:, :2]", "y = re[:, :2]", "2×5[:, :2] = 2×2"),
    ],
)
def test_lines_read_as_mathematics(text, shown, shapes):
    assert formula(line(text), NAMES, "y") == shown
    assert algebra(line(text)) == shapes


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("first, out = a, v + v", "y = v + v"),
        ("first, out = a.sort(0)", "y = sort(re, 0)[1]"),
        ("out, sort_backward = sort(a)", "y = sort(re)"),
        ("(first, out), sort_backward = sort(a)", "y = sort(re)[1]"),
        ("first[0], *out = sort(a)", "y = sort(re)[1]"),
    ],
)
def test_a_line_that_binds_several_names_says_which_it_is(text, shown):
    statement = ast.parse(text).body[0]
    assert (
        formula(Line("rule", __file__, 1, 1, text, "out", statement, READS, V), NAMES, "y") == shown
    )
