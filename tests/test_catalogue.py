"""The rule library as text: what a name finds, what its page says, what is missing."""

from __future__ import annotations

import importlib

import pytest
import torch
import torch.nn.functional as F

from backprop_tui import catalogue, covered, rules
from backprop_tui.cli import main
from backprop_tui.errors import UserError
from backprop_tui.rules.registry import RULES, find

SPELLINGS = ["softmax", "F.softmax", "torch.softmax", "nn.functional.softmax", "Tensor.softmax"]


@pytest.mark.parametrize("name", [*SPELLINGS, "torch.nn.functional.softmax"])
def test_a_rule_is_found_by_each_of_its_spellings(name):
    assert catalogue.found(name) == [find(F.softmax)]


def test_a_name_that_two_functions_share_finds_both_rules():
    assert {rule.name for rule in catalogue.found("unfold")} == {"unfold", "unfold_windows"}


def test_every_target_of_every_rule_is_found_by_its_own_name():
    for target, rule in RULES.items():
        assert rule in catalogue.found(catalogue.torch_name(target))


def test_a_page_has_source_place_targets_coverage_and_pytorchs_formula(capsys):
    assert main(["rules", "softmax"]) == 0
    page = capsys.readouterr().out
    assert "overlap = (dy * y).sum(dim, keepdim=True)" in page
    assert "rules/softmax.py:" in page
    assert "torch.special.softmax, torch.nn.functional.softmax" in page
    assert "op_db    softmax (and method)" in page
    assert "PyTorch  SoftmaxBackward0" in page
    assert "self: _softmax_backward_data(grad, result, dim" in page


def test_a_page_of_what_torch_composes_has_the_formula_of_each_node(capsys):
    assert main(["rules", "cross_entropy"]) == 0
    page = capsys.readouterr().out
    assert "PyTorch  NllLossBackward0" in page and "PyTorch  LogSoftmaxBackward0" in page


def test_the_place_is_where_the_rule_stands():
    place = list(catalogue.described("layer_norm"))[1]
    file, _, line = place.rpartition(":")
    with open(file, encoding="utf-8") as text:
        assert text.readlines()[int(line) - 1].startswith("@rule(F.layer_norm")


def test_the_list_has_every_rule_once_under_its_family(capsys):
    assert main(["rules"]) == 0
    lines = capsys.readouterr().out.splitlines()
    listed = sorted(line.split()[0] for line in lines if line.startswith("  "))
    ours = {rule for rule in RULES.values() if rule.function.__module__.startswith(rules.__name__)}
    assert listed == sorted(rule.name for rule in ours)  # other tests declare rules of their own
    assert lines.index(
        "norm: Normalisations: each group of numbers is brought to mean 0 and variance 1."
    ) < next(i for i, line in enumerate(lines) if line.startswith("  layer_norm "))


def test_an_unknown_name_is_one_line_with_the_nearest(capsys):
    assert main(["rules", "sofmax"]) == 2
    error = capsys.readouterr().err
    assert error == "backprop-tui: no rule is called 'sofmax': did you mean softmax?\n"
    assert main(["rules", "xyzzy"]) == 2
    assert "see backprop-tui rules" in capsys.readouterr().err


def test_missing_lists_what_is_not_verified_and_nothing_else(monkeypatch, capsys):
    entries = {entry.full_name for entry in covered.op_db_entries()}
    assert main(["rules", "--missing"]) == 0
    listed = {line.split()[0] for line in capsys.readouterr().out.splitlines() if line}
    assert entries & listed == entries - set(covered.verified())
    monkeypatch.delitem(RULES, torch.Tensor.add)
    assert any(line.split()[0] == "torch.Tensor.add" for line in list(covered.missing())[1:])


def test_without_the_packages_that_op_db_needs_missing_says_which(monkeypatch):
    def absent(name):
        raise ModuleNotFoundError(f"No module named {name!r}", name="expecttest")

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(UserError, match=r"expecttest: pip install backprop-tui\[test\]"):
        list(covered.missing())


def test_how_a_function_of_real_models_is_derived():
    assert covered.how("torch.nn.functional.linear") == "linear"
    assert covered.how("torch.nn.functional.multi_head_attention_forward") == "looked into"
    assert covered.how("torch.autograd.grad") == "no op"
    assert covered.how("torch.no_such_function") == ""


def test_a_page_has_the_functions_that_a_rule_is_made_of(capsys):
    assert main(["rules", "max_pool2d"]) == 0
    page = capsys.readouterr().out
    assert page.index("return largest(input, index, 2)") < page.index("def largest(")
    assert page.count("def add_at(") == 1 and "def max_pool1d(" not in page


def test_what_is_deprecated_is_no_warning_on_a_page(capsys, recwarn):
    assert main(["rules", "qr"]) == 0
    assert not recwarn.list
