"""Every rule on calls whose memory, numbers or wishes op_db's samples do not have."""

import warnings

import pytest
import torch

from tests.rules import op_db
from tests.rules.apart import REASONS, kinds_apart
from tests.rules.oracle import seed
from tests.rules.variations import CHANGES, calls, variation_complaint

VARIANTS = {
    name: variant
    for name, variant in op_db.variants("float32").items()
    if name != "grid_sampler_3d"  # torch's own kernel crashes on a grid that holds NaN
}
MOST = 3  # samples of each variant


@pytest.mark.parametrize("name", VARIANTS)
def test_a_changed_call_agrees_with_autograd_unless_it_is_said_why_not(name):
    function, entry = VARIANTS[name]
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        seed()
        samples = list(entry.sample_inputs("cpu", torch.float64, requires_grad=True))
        for call in calls(function, samples, MOST):
            for kind in CHANGES:
                if kind not in found and (wrong := variation_complaint(kind, call)):
                    found[kind] = wrong
    assert found.keys() == kinds_apart(name), found


def test_what_is_said_to_part_exists():
    names = {n for groups in REASONS.values() for words in groups.values() for n in words.split()}
    kinds = {kind for groups in REASONS.values() for words in groups for kind in words.split()}
    assert names <= VARIANTS.keys() and kinds <= CHANGES.keys()
