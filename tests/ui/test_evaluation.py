"""What `:` answers, without a screen."""

from __future__ import annotations

import torch

from backprop_tui.ui.evaluation import NOTHING, complete, evaluate, mentioned

NAMES = {"torch": torch, "x1": torch.tensor([1.0, 2.0]), "pgrad": [None, torch.ones(2)]}


def test_an_expression_gives_its_value() -> None:
    outcome = evaluate("x1 * 2", NAMES)
    assert outcome.value.tolist() == [2.0, 4.0]
    assert (outcome.error, outcome.bound) == ("", {})


def test_a_statement_binds_and_has_no_value() -> None:
    outcome = evaluate("a = x1.sum()", NAMES)
    assert outcome.value is NOTHING
    assert outcome.bound["a"].item() == 3.0


def test_the_last_expression_after_statements_is_the_value() -> None:
    assert evaluate("a = 2; b = a + 1; b * 2", NAMES).value == 6


def test_names_work_inside_comprehensions_and_functions() -> None:
    assert evaluate("[x1.sum().item() for _ in range(2)]", NAMES).value == [3.0, 3.0]
    assert evaluate("def f(): return x1.numel()\nf()", NAMES).value == 2


def test_what_is_printed_is_kept() -> None:
    outcome = evaluate("print('hi'); 3", NAMES)
    assert outcome.text() == "hi\n3"


def test_errors_come_back_as_words() -> None:
    assert evaluate("nope + 1", NAMES).error == "NameError: name 'nope' is not defined"
    assert "SyntaxError" in evaluate("1 +", NAMES).error
    assert evaluate("exit(3)", NAMES).error == "SystemExit: 3"
    assert "out of range" in evaluate("pgrad[7]", NAMES).error


def test_rebinding_a_name_is_reported_and_the_scope_given_is_left_alone() -> None:
    outcome = evaluate("x1 = 0", NAMES)
    assert outcome.bound == {"x1": 0}
    assert isinstance(NAMES["x1"], torch.Tensor)


def test_none_is_a_value_that_prints_nothing() -> None:
    assert evaluate("pgrad[0]", NAMES).value is None
    assert evaluate("pgrad[0]", NAMES).text() == ""


def test_completion_of_names_and_attributes() -> None:
    assert complete("pgr", NAMES) == ["pgrad"]
    assert "x1 + torch.ones_like(" in complete("x1 + torch.ones_li", NAMES)
    assert complete("x1 + ", NAMES) == []


def test_the_names_that_a_source_asks_for() -> None:
    assert sorted(mentioned("a = x1; [x2[i] for i in y]") or ()) == ["a", "i", "x1", "x2", "y"]
    assert mentioned("globals()['x1']") is None
    assert mentioned("x1 +") == frozenset()
