"""Binary rules on shapes that broadcast in every way: 0-d, empty, size 1, more dimensions."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes

import backprop_tui.rules  # noqa: F401  (registers the rules)
from backprop_tui.rules.broadcast import unbroadcast
from backprop_tui.rules.registry import find
from tests.rules.oracle import complaint

BINARY = [
    torch.add,
    torch.sub,
    torch.rsub,
    torch.mul,
    torch.div,
    torch.pow,
    torch.maximum,
    torch.minimum,
    torch.fmax,
    torch.fmin,
]

SHAPES = mutually_broadcastable_shapes(num_shapes=2, min_side=0, max_side=3, max_dims=4)


@pytest.mark.parametrize("op", BINARY, ids=lambda op: op.__name__)
@settings(max_examples=30, deadline=None)
@given(shapes=SHAPES, seed=st.integers(0, 9))
def test_a_binary_rule_agrees_with_autograd_on_any_two_shapes(op, shapes, seed):
    generator = torch.Generator().manual_seed(seed)
    pair = tuple(
        (0.5 + torch.rand(shape, dtype=torch.float64, generator=generator)).requires_grad_()
        for shape in shapes.input_shapes
    )
    assert complaint(find(op), op, pair, {}) == ""


@pytest.mark.parametrize("op", [torch.add, torch.sub, torch.mul, torch.div, torch.pow])
@pytest.mark.parametrize(
    "dtypes", [(torch.float32, torch.float64), (torch.bfloat16, torch.float32)]
)
def test_a_promoted_argument_receives_a_cotangent_of_its_own_dtype(op, dtypes):
    pair = tuple(torch.tensor([1.5, 2.0], dtype=dtype, requires_grad=True) for dtype in dtypes)
    assert complaint(find(op), op, pair, {}) == ""


def test_integers_and_numbers_receive_nothing():
    assert unbroadcast(torch.ones(2), torch.tensor([1, 2])) is None
    assert unbroadcast(torch.ones(2), 2.0) is None


@given(shapes=SHAPES)
@settings(max_examples=50, deadline=None)
def test_unbroadcast_counts_the_copies(shapes):
    argument = torch.ones(shapes.input_shapes[0])
    copies = unbroadcast(torch.ones(shapes.result_shape), argument)
    assert copies.shape == argument.shape
    total = torch.ones(shapes.result_shape).numel()
    assert (copies == (total // argument.numel() if argument.numel() else 0)).all()
