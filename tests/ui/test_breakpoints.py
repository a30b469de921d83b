"""Breakpoints and their conditions, without a screen."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from backprop_tui.errors import UserError
from backprop_tui.ui.breakpoints import Breakpoints, Condition


def trace(*losses: float | None) -> Any:
    """A trace whose loss at each step is the one given, unbound where there is none."""

    def namespace(step: int, wanted: object) -> dict[str, Any]:
        return {} if losses[step] is None else {"loss": losses[step]}

    return SimpleNamespace(iteration=3, namespace=namespace)


def test_what_is_no_expression_is_refused() -> None:
    with pytest.raises(UserError, match="not an expression: loss <"):
        Condition.parse("loss <")
    with pytest.raises(UserError):
        Condition.parse("loss = 3")


def test_a_name_that_is_not_bound_yet_is_false() -> None:
    assert not Condition.parse("loss < 10").holds({})
    assert Condition.parse("loss < 10").holds({"loss": 3})


def test_a_condition_stops_where_it_becomes_true_and_only_there() -> None:
    points = Breakpoints()
    points.add("loss < 10", trace(None))
    here = trace(None, 20.0, 5.0, 4.0)
    assert [points.becomes_true(here, step) for step in range(4)] == [False, False, True, False]


def test_the_iteration_can_be_named() -> None:
    points = Breakpoints()
    points.add("iteration == 3", trace(None))
    assert points.becomes_true(trace(None), 0)


def test_ops_toggle_and_conditions_are_kept_once() -> None:
    points = Breakpoints()
    assert points.toggle(4) and not points.toggle(4)
    assert not points
    points.add("loss < 1", trace(None))
    points.add("loss < 1", trace(None))
    assert len(points.conditions) == 1 and points


def test_losses_alone_decide_only_for_conditions_over_losses() -> None:
    points = Breakpoints()
    points.add("loss < 1 and iteration > 2", trace(None))
    assert points.only_loss
    points.add("x3.sum() == 0", trace(None))
    assert not points.only_loss
    points.conditions.pop()
    points.toggle(1)
    assert not points.only_loss


def test_what_a_condition_raises_is_the_users_to_mend() -> None:
    with pytest.raises(UserError, match=r"1 / loss: ZeroDivisionError"):
        Condition.parse("1 / loss").holds({"loss": 0})
