"""The capsule of every rule: it runs with torch and pytest alone, and agrees with the verdict."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.utils._pytree import tree_map

import backprop_tui as bp
from backprop_tui.capsule import capsule
from backprop_tui.rules import registry
from backprop_tui.tape import tensors
from tests.rules.test_rules_recorded import OURS, PHASE, grown
from tests.rules.test_rules_samples import ALL, AUTOGRAD_IS_WRONG, accepts, samples

SAME = {"type_as"}  # its samples have the type already

# Python that cannot import the program.
ALONE = """
import sys
sys.modules["backprop_tui"] = None
import pytest
sys.exit(pytest.main(["-q", "--tb=line", "-p", "no:cacheprovider", "-W", "ignore", *sys.argv[1:]]))
"""


def made(rule):
    """The capsule of the first sample of the rule that a program can make, None without one."""
    for dtype, target in itertools.product((torch.float32, torch.float64), rule.targets):
        for args, kwargs in samples(rule, dtype):
            if not accepts(target, args, kwargs):
                continue
            with bp.record() as tape:
                args, kwargs = tree_map(grown, (args, kwargs))
                output = target(*args, **kwargs)
                parts = [t for t in tensors(args[0] if output is None else output) if t.grad_fn]
                if not parts:
                    continue
                real = (
                    torch.view_as_real(t.resolve_conj()) if t.is_complex() else t for t in parts
                )
                sum((t * torch.randn_like(t)).sum() for t in real).backward()
            op = next(op for op in tape.ops if registry.find(op.function) is rule)
            if set(op.results).isdisjoint(op.inputs):  # not the input itself
                return capsule(tape.backwards[0], op)
    return None


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("capsules")
    for name, rule in ALL:
        if name not in OURS | PHASE | SAME:
            found = made(rule)
            assert found is not None and not found.large, name
            (folder / f"test_{name}.py").write_text(found.text, encoding="utf-8")
    return folder


def run(folder: Path, *command: str) -> str:
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, cwd=folder, env=environment
    )
    assert not done.stderr, done.stderr
    return done.stdout


def test_they_pass_where_autograd_is_right_and_fail_where_it_is_wrong(folder):
    said = run(folder, "-c", ALONE, ".")
    failed = set(re.findall(r"^FAILED test_(\w+)\.py", said, re.MULTILINE))
    assert failed == AUTOGRAD_IS_WRONG, said
    passed = re.search(r"(\d+) passed", said)
    assert passed and int(passed[1]) > 2 * len(ALL) and "error" not in said


def test_they_are_clean(folder):
    said = run(folder, "-m", "ruff", "check", "--isolated", "--extend-select", "I", ".")
    assert "All checks passed!" in said
