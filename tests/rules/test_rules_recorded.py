"""Every rule on its own samples again, as the debugger meets them: recorded and checked."""

import pytest
import torch
from torch.utils._pytree import tree_map

import backprop_tui as bp
from backprop_tui.report import AGREED
from backprop_tui.tape import tensors
from tests.rules.test_rules_samples import (
    AUTOGRAD_IS_WRONG,
    EACH_RULE,
    FLOAT32_ONLY,
    accepts,
    samples,
)

OURS = {"view_again", "write_through_view"}  # the recorder calls them, no program does
PHASE = {"eig", "eigh", "svd"}  # of which a loss must not make use
INEXACT = {"hardsigmoid"}  # autograd holds 1/6 as a float32 in float64 too


def grown(leaf):
    """What a program would have computed: no leaf, so that it may be written to."""
    return leaf * 1 if isinstance(leaf, torch.Tensor) and leaf.requires_grad else leaf


def recorded(target, args, kwargs):
    """The report of a step that calls `target`, None where its output needs no gradient."""
    with bp.record() as tape:
        args, kwargs = tree_map(grown, (args, kwargs))
        output = target(*args, **kwargs)
        made = tensors(args[0] if output is None else output)
        parts = [torch.view_as_real(t.resolve_conj()) if t.is_complex() else t for t in made]
        terms = [(t * torch.randn_like(t)).sum() for t in parts if t.requires_grad]
        if not terms:
            return None
        sum(terms).backward()
    return tape.check()


@EACH_RULE
def test_a_rule_is_met_as_it_is_recorded(rule):
    if rule.name in OURS | PHASE | AUTOGRAD_IS_WRONG:
        pytest.skip("no program can be judged by it")
    dtype = torch.float32 if rule.name in FLOAT32_ONLY | INEXACT else torch.float64
    for target in rule.targets:
        for args, kwargs in samples(rule, dtype):
            if not accepts(target, args, kwargs):
                continue
            try:
                report = recorded(target, args, kwargs)
            except NotImplementedError:  # autograd has no derivative of acosh_
                continue
            if report is None:
                continue
            assert report.ok, f"{target}\n{report}"
            assert report.coverage.missing == () and report.coverage.unseen == ()
            assert all(row.isolated in AGREED for row in report.ops), f"{target}\n{report.ops}"
