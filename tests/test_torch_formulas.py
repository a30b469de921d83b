"""PyTorch's own formulas, found by the nodes that real ops make."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

import backprop_tui as bp
from backprop_tui.torch_formulas import formula_of, telling

X = torch.rand(3, 3, requires_grad=True)


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (X.relu(), "threshold_backward(grad, result, 0)"),
        (X @ X, "mat2: mm_mat2_backward"),
        (X**2, "self: pow_backward(grad, self, exponent)"),
        (2**X, "exponent: pow_backward_exponent"),
        (X.sum(0), "sum_backward"),
        (X.sum(), "grad.expand_symint"),
    ],
)
def test_the_formula_of_a_node(output, said):
    assert said in formula_of(output.grad_fn.name())


def test_an_unknown_node_has_none():
    assert formula_of("MyFunctionBackward") == ""


def formulas(function, *args):
    with bp.record() as tape:
        function(*args)
    return [formula_of(telling(op)) for op in tape.ops]


def test_the_reshape_that_ends_an_op_is_not_its_formula():
    assert formulas(F.linear, X.expand(2, 3, 3), X)[-1] == ""
    assert "reshape" in formulas(torch.reshape, X, (9,))[-1]


def test_a_composite_has_no_formula_and_a_linear_layer_has_that_of_its_product():
    assert formulas(F.scaled_dot_product_attention, X, X, X)[-1] == ""
    assert "mm" in formulas(F.linear, X, X)[-1]
    assert "nll_loss_backward" in formulas(F.cross_entropy, X, torch.tensor([0, 1, 2]))[-1]
