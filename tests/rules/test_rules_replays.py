"""Every rule on its own samples in other numbers, dtypes, shapes and with other cotangents."""

import warnings

import pytest
import torch

from tests.rules.apart import kinds_apart
from tests.rules.apart_replayed import REASONS
from tests.rules.replays import KINDS, SCALES, replay_complaint
from tests.rules.test_rules_samples import (
    ALL,
    AUTOGRAD_IS_WRONG,
    FLOAT32_ONLY,
    accepts,
    samples,
)
from tests.rules.test_rules_sizes import CRASHING

JUDGED = [rule for name, rule in ALL if name not in AUTOGRAD_IS_WRONG]
# Torch's own kernel crashes on operands that do not fit each other, or reads beyond them.
UNFIT = CRASHING | {"ctc_loss", "grouped_mm", "lu_unpack", "scaled_dot_product_attention"}
UNFIT |= {"view_again", "write_through_view"}
# What torch answers otherwise from call to call: the sum of complex32, the index among equals.
UNSETTLED = {("chalf", kind) for kind in SCALES} | {("median", "repeated")}


def found(rule):
    """The kinds of replay in which a rule and autograd part, each with the first complaint."""
    apart = {}
    for narrow in (False, True):
        dtype = torch.float32 if narrow or rule.name in FLOAT32_ONLY else torch.float64
        kinds = [kind for kind in KINDS if (kind in SCALES) is narrow]
        for args, kwargs in samples(rule, dtype):
            target = next(target for target in rule.targets if accepts(target, args, kwargs))
            for kind in kinds:
                if kind in apart or (rule.name, kind) in UNSETTLED:
                    continue
                if kind == "broadcast" and rule.name in UNFIT:
                    continue
                if wrong := replay_complaint(kind, rule, target, args, kwargs):
                    apart[kind] = wrong
    return apart


@pytest.mark.parametrize("rule", JUDGED, ids=lambda rule: rule.name)
def test_a_replayed_sample_agrees_with_autograd_unless_it_is_said_why_not(rule):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        apart = found(rule)
    assert apart.keys() == kinds_apart(rule.name, REASONS), apart


def test_what_is_said_to_part_exists():
    names = {n for groups in REASONS.values() for words in groups.values() for n in words.split()}
    kinds = {kind for groups in REASONS.values() for words in groups for kind in words.split()}
    assert names <= {rule.name for rule in JUDGED} and kinds <= set(KINDS)
