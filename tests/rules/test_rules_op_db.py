"""The rules against autograd on PyTorch's own samples, in float64 and in float32."""

import pytest

from backprop_tui import covered
from tests.rules import op_db

VARIANTS = {dtype: op_db.variants(dtype) for dtype in op_db.JUDGES}
LISTED = [(dtype, name) for dtype in op_db.JUDGES for name in covered.verified(dtype)]


@pytest.mark.parametrize(("dtype", "name"), LISTED)
def test_a_listed_variant_passes_by_rules_alone(dtype, name):
    assert op_db.judge(dtype, name, *VARIANTS[dtype][name]) == ""


@pytest.mark.parametrize("dtype", op_db.JUDGES)
def test_the_table_lists_every_variant_that_passes(dtype):
    unlisted = [name for name in VARIANTS[dtype] if (dtype, name) not in set(LISTED)]
    passing = [name for name in unlisted if op_db.passes(dtype, name, *VARIANTS[dtype][name])]
    assert not passing, "run: make coverage"
