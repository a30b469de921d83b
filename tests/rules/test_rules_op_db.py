"""The rules against autograd on PyTorch's own samples, in float64."""

import pytest

from backprop_tui import catalogue
from tests.rules import op_db

VARIANTS = op_db.variants()
LISTED = catalogue.verified()


@pytest.mark.parametrize("name", LISTED)
def test_a_listed_variant_passes_by_rules_alone(name):
    assert op_db.judge(name, *VARIANTS[name]) == ""


def test_the_table_lists_every_variant_that_passes():
    unlisted = [name for name in VARIANTS if name not in set(LISTED)]
    passing = [name for name in unlisted if op_db.passes(name, *VARIANTS[name])]
    assert not passing, "run: make coverage"
