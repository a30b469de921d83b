"""PyTorch's own formulas, found by the nodes that real ops make."""

from __future__ import annotations

import pytest
import torch

from backprop_tui.torch_formulas import formula_of

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


def test_the_reshape_that_ends_an_op_is_not_its_formula():
    node = torch.nn.functional.linear(X.expand(2, 3, 3), X).grad_fn.name()
    assert formula_of(node) and not formula_of(node, "linear")
    assert formula_of(node, "reshape")
