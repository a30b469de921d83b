"""Warnings while a program is recorded: where they point, and how often they are shown."""

from __future__ import annotations

import inspect
import warnings

import pytest
import torch
from torch.nn import functional as F

from backprop_tui import private
from backprop_tui.recorder import record

W = torch.ones(3, 3, requires_grad=True)


def leafless():
    return (2 * W).grad  # warns in C++


def mismatched():
    return F.mse_loss(torch.ones(3, 1), torch.ones(3))  # warns in Python, of its caller


def transposed():
    return torch.zeros(3, 4, 5).T  # warns in C++, in an attribute


def given(function, action="always", **options):
    """What a function warns of while it is recorded."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("ignore")
        warnings.filterwarnings(action, **options)
        torch.set_warn_always(True)
        try:
            with record():
                function()
        finally:
            torch.set_warn_always(False)
    return found


@pytest.mark.parametrize("function", [leafless, mismatched, transposed])
def test_a_warning_names_the_line_of_the_program(function):
    (found,) = given(function)
    _, first = inspect.getsourcelines(function)
    assert (found.filename, found.lineno) == (__file__, first + 1)


@pytest.mark.parametrize("function", [leafless, mismatched, transposed])
def test_it_is_shown_once_for_a_line_also_where_the_debugger_worked_in_between(function):
    def often():
        for _ in range(3):
            function()
            with private.apart():
                warnings.warn("the debugger's own", stacklevel=1)

    assert len(given(often, "default")) == 1


def test_filters_of_the_program_see_its_own_module():
    assert len(given(leafless, module=__name__)) == 1
    assert given(leafless, module="backprop_tui") == []
    with pytest.raises(UserWarning):
        given(leafless, "error", module=__name__)


def test_nothing_of_it_stays():
    show, filters = warnings._showwarnmsg, list(warnings.filters)
    with record():
        assert warnings.filters != filters
    assert warnings._showwarnmsg is show and warnings.filters == filters
