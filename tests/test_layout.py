"""The walls of the house: what may import what, and what stays light."""

from __future__ import annotations

import ast
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import backprop_tui

ROOT = Path(__file__).parents[1]
RULES = sorted((ROOT / "src" / "backprop_tui" / "rules").glob("*.py"))
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(backprop_tui.__path__, "backprop_tui.")
    if not module.name.endswith("__main__")
)
SCREEN = [name for name in MODULES if name.startswith("backprop_tui.ui")]
ENGINE = [name for name in MODULES if name not in SCREEN]

# What a rule would reach for if it asked autograd for the answer instead of deriving it.
ORACLE = re.compile(r"autograd|func|v?jv?p|grad|enable_grad|requires_grad_?|\w*backward\w*")


def run(*arguments: str) -> str:
    """Run a fresh interpreter and return what it printed; its failure is the test's."""
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def loaded(script: str, *arguments: str) -> set[str]:
    """The heavy packages that a fresh interpreter holds once `script` has run."""
    ask = "import sys; print('loaded:', *({'torch', 'textual', 'IPython'} & set(sys.modules)))"
    guarded = f"try:\n    {script}\nexcept SystemExit as end:\n    assert not end.code\n{ask}"
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


def reached(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every attribute that the code reads and every module that it imports, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.lineno, node.attr
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, part) for a in node.names for part in a.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, part) for part in (node.module or "").split("."))
            yield from ((node.lineno, alias.name) for alias in node.names)


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_rules_derive_and_never_ask_autograd(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    asked = [(line, name) for line, name in reached(tree) if ORACLE.fullmatch(name)]
    assert not asked, f"{path.name} asks autograd: {asked}"


@pytest.mark.parametrize(
    "code",
    [
        "torch.autograd.grad(y, x)",
        "from torch.func import vjp",
        "y.backward()",
        "torch.ops.aten.threshold_backward(dy, x, 0)",
        "x.requires_grad_()",
    ],
)
def test_asking_autograd_is_seen(code: str) -> None:
    assert any(ORACLE.fullmatch(name) for _, name in reached(ast.parse(code)))
