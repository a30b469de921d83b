"""Every rule on its own samples in other sizes, none and one among them."""

import math
import random
import warnings

import pytest
import torch
from torch import Tensor
from torch.utils._pytree import tree_iter, tree_map

from tests.rules.oracle import autograd_side, complaint, described
from tests.rules.test_rules_samples import ALL, samples
from tests.rules.variations import REFUSALS

# Torch's own kernel crashes on sizes that do not fit each other.
CRASHING = {"embedding_bag", "gru", "lstm", "native_batch_norm", "pdist"}
CRASHING |= {"rnn_relu", "rnn_tanh", "segment_reduce", "weight_norm"}
# Where rules and autograd part, and why. What stands here and agrees fails the test too.
APART = {
    "a mean over nothing, which is 0 or NaN": "group_norm multi_margin_loss multilabel_margin_loss",
    "no class, feature or channel: the rule divides by their number, or will not reshape": "conv "
    "cross_entropy linear_cross_entropy scaled_dot_product_attention stft",
    "an empty vector is a row of the diagonal for torch's forward alone": "block_diag",
    "sizes that stand in another argument too": "ctc_loss pad_packed_sequence view_again "
    "write_through_view",
}
LISTED = {name for names in APART.values() for name in names.split()}


def resized(tensor, sizes):
    """The tensor with its sizes renamed, its elements taken again and moved a little apart."""
    made = tensor.detach()
    for dim, size in enumerate(tensor.shape):
        if size and sizes[size] != size:
            made = made.index_select(dim, torch.arange(sizes[size]) % size)
    if made.is_floating_point() or made.is_complex():
        made = made * (1 + 0.01 * torch.arange(made.numel()).reshape(made.shape).sin())
    return made.clone().requires_grad_(tensor.requires_grad)


def renamings(args, kwargs):
    """Each size as 0 and as 1, and all at once as something else: equal sizes stay equal."""
    leaves = [leaf for leaf in tree_iter((args, kwargs)) if isinstance(leaf, Tensor)]
    present = sorted({size for leaf in leaves for size in leaf.shape})
    for size in present:
        for other in (0, 1):
            yield {**{n: n for n in present}, size: other}
    draws = random.Random(math.prod(present))
    for _ in range(2):
        yield {size: draws.randrange(6) for size in present}


def found(rule):
    """The calls in other sizes that torch takes, and what the rule gets wrong in them."""
    accepted, wrong = 0, []
    for args, kwargs in samples(rule, torch.float64):
        for sizes in renamings(args, kwargs):

            def other(leaf, sizes=sizes):
                return resized(leaf, sizes) if isinstance(leaf, Tensor) else leaf

            call = tree_map(other, (args, kwargs))
            try:
                autograd_side(rule.targets[0], *call)
            except (*REFUSALS, NotImplementedError, AssertionError):
                continue
            accepted += 1
            try:
                said = complaint(rule, rule.targets[0], *call)
            except (*REFUSALS, ArithmeticError) as refusal:
                said = f"{type(refusal).__name__}: {refusal}"
            if said:
                wrong.append(f"{said} in {described(*call)}")
    return accepted, wrong


@pytest.mark.parametrize("rule", [r for n, r in ALL if n not in CRASHING], ids=lambda r: r.name)
def test_a_rule_agrees_with_autograd_in_other_sizes_unless_it_is_said_why_not(rule):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, wrong = found(rule)
    assert bool(wrong) == (rule.name in LISTED), wrong


def test_what_is_said_to_part_or_crash_exists():
    assert {name for name, _ in ALL} >= LISTED | CRASHING
