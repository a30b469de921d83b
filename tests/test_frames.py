"""Whose line something is: torch's, an installed package's, or the user's."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import torch

from backprop_tui.diagnose import Diagnosis
from backprop_tui.frames import is_installed, is_users, raised_at
from backprop_tui.recorder import record

INSTALLED = str(Path(sysconfig.get_path("purelib"), "trainers", "fit.py"))
LIBRARY = """
def fit(w, optimizer):
    loss = w.square().sum()
    loss.backward()
    optimizer.step()

def fail():
    raise ValueError
"""


def installed():
    """A package's names, as if it stood among those that are installed."""
    names = {"__name__": "trainers.fit"}
    exec(compile(LIBRARY, INSTALLED, "exec"), names)
    return names


def test_an_op_of_a_package_knows_the_users_line_that_called_it():
    w = torch.ones(2, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.1)
    with record() as tape:
        installed()["fit"](w, optimizer)
        w.exp()
    library, mine = tape.ops[0].source, tape.ops[-1].source
    assert (library.file, library.line, library.caller.file) == (INSTALLED, 3, __file__)
    assert mine.file == __file__ and mine.caller is None


def test_a_finding_in_a_package_stands_at_the_users_line():
    w = torch.ones(2, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.1)
    diagnosis = Diagnosis()
    for _ in range(2):
        with record() as tape:
            installed()["fit"](w, optimizer)
        diagnosis.examine(tape)
    (found,) = (each for each in diagnosis.findings if each.kind == "forgotten-zero-grad")
    assert found.source.file == __file__ and "(in fit.py:4)" in found.message


def test_an_exception_came_through_the_users_line_last():
    try:
        installed()["fail"]()
    except ValueError as error:
        found = raised_at(error)
    assert found.file == __file__
    assert raised_at(ValueError()) is None


def test_whose_a_file_is():
    assert is_users(__file__) and not is_users(torch.__file__) and not is_users("<stdin>")
    assert is_installed(INSTALLED) and is_installed(sysconfig.__file__)
    assert not is_installed(__file__)
