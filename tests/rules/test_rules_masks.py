"""Rules where −∞ masks: attention, softmax and CTC, rows with nothing left among them."""

import math

import pytest
import torch
import torch.nn.functional as F

import backprop_tui.rules  # noqa: F401  (registers the rules)
from backprop_tui.rules.registry import find
from tests.rules.oracle import complaint

L, S = 3, 4
OPEN = torch.ones(L, S, dtype=torch.bool)
MASKS = {
    "all open": OPEN,
    "one key hidden": OPEN.index_fill(1, torch.tensor([2]), False),
    "triangle": OPEN.tril(),
    "one row hidden": OPEN.index_fill(0, torch.tensor([1]), False),
    "all hidden": ~OPEN,
    "one row for all": OPEN.tril()[1:2],
    "one column for all": OPEN.tril()[:, 2:3],
    "for each head": torch.stack([OPEN.tril(), OPEN.triu()]),
    "for each example": torch.stack([OPEN, ~OPEN]).unsqueeze(1),
}


def normal(*shape):
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, dtype=torch.float64, generator=generator).requires_grad_()


@pytest.mark.parametrize("kind", ["truth values", "numbers", "numbers asked"])
@pytest.mark.parametrize("name", MASKS)
def test_attention_under_a_mask(name, kind):
    mask = MASKS[name]
    if kind != "truth values":
        mask = torch.zeros(mask.shape, dtype=torch.float64).masked_fill(~mask, -math.inf)
        mask = (mask + torch.linspace(-1, 1, S, dtype=torch.float64)[: mask.shape[-1]]).detach()
        mask.requires_grad_(kind == "numbers asked")
    call = (normal(2, 2, L, 5), normal(2, 2, S, 5), normal(2, 2, S, 6)), {"attn_mask": mask}
    attention = F.scaled_dot_product_attention
    assert complaint(find(attention), attention, *call) == ""


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("sizes", [(3, 3), (2, 4), (4, 2), (1, 1), (1, 3), (0, 2), (2, 0)])
def test_causal_attention_of_any_two_lengths(sizes, grouped):
    queries, keys = sizes
    heads = 2 if grouped else 4
    args = (normal(1, 4, queries, 3), normal(1, heads, keys, 3), normal(1, heads, keys, 2))
    attention = F.scaled_dot_product_attention
    call = args, {"is_causal": True, "enable_gqa": grouped}
    assert complaint(find(attention), attention, *call) == ""


@pytest.mark.parametrize("op", [F.softmax, F.log_softmax, torch.logsumexp, torch.logcumsumexp])
@pytest.mark.parametrize("dim", [0, 1])
def test_a_softmax_of_columns_and_rows_that_are_masked(op, dim):
    x = normal(3, 4).detach().masked_fill(~MASKS["triangle"][:, :4], -math.inf).requires_grad_()
    assert complaint(find(op), op, (x, dim), {}) == ""


def masked_labels(places, value):
    """Log-probabilities of which one time step has some labels at `value`; and what is read."""
    log_p = normal(5, 2, 4).log_softmax(-1).detach()
    log_p[2, 0, places] = value
    return log_p.requires_grad_(), torch.tensor([[1, 1], [2, 3]]), (5, 4), (2, 1)


@pytest.mark.parametrize("places", [[1], [0], [3], [0, 3], [1, 2, 3]])
def test_ctc_where_labels_are_impossible_is_the_limit(places):
    """Autograd itself is NaN there: its log αβ − log y is −∞ + ∞."""
    args, near = masked_labels(places, -math.inf), masked_labels(places, -600.0)
    loss = F.ctc_loss(*near)
    (expected,) = torch.autograd.grad(loss, near[0])
    with torch.no_grad():
        y, backward = find(F.ctc_loss).function(*args)
        found = backward(torch.ones_like(y))
    assert torch.allclose(y, loss, rtol=1e-12, atol=0)
    assert torch.allclose(found, expected, rtol=0, atol=1e-12)


def test_ctc_where_every_path_is_impossible():
    args = masked_labels([0, 1], -math.inf)
    told = {"zero_infinity": True, "reduction": "sum"}
    assert complaint(find(F.ctc_loss), F.ctc_loss, args, told) == ""
