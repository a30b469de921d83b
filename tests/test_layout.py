"""The walls of the house: what may import what, and what stays light."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import backprop_tui

ROOT = Path(__file__).parents[1]
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(backprop_tui.__path__, "backprop_tui.")
    if not module.name.endswith("__main__")
)
SCREEN = [name for name in MODULES if name.startswith("backprop_tui.ui")]
BETWEEN = "backprop_tui.debugging"  # a running program and its screen: both meet there
ENGINE = [name for name in MODULES if name not in (*SCREEN, BETWEEN)]


def run(*arguments: str) -> str:
    """Run a fresh interpreter and return what it printed; its failure is the test's."""
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def loaded(script: str, *arguments: str) -> set[str]:
    """The heavy packages that a fresh interpreter holds once `script` has run, exiting or not."""
    guarded = f"""
import sys
try:
    {script}
except SystemExit as end:
    assert not end.code, end.code
print("loaded:", *({{"torch", "textual", "IPython"}} & set(sys.modules)))
"""
    return set(run("-c", guarded, *arguments).rpartition("loaded:")[2].split())


def test_the_package_itself_is_light() -> None:
    assert loaded("import backprop_tui") == set()


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_a_question_to_the_command_line_loads_nothing_heavy(option: str) -> None:
    assert loaded("from backprop_tui.cli import main; sys.exit(main())", option) == set()


def test_no_module_of_the_screen_imports_torch() -> None:
    assert SCREEN
    assert loaded("import " + ", ".join(SCREEN)) == {"textual"}


def test_no_module_of_the_engine_imports_textual() -> None:
    assert ENGINE
    assert loaded("import " + ", ".join(ENGINE)) == {"torch"}


def test_imports_run_one_way() -> None:
    assert "0 broken" in run("-c", "from importlinter.cli import lint_imports; lint_imports()")
