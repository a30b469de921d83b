"""The first frame is painted before torch is imported, and nothing waits for it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.tmux import Terminal

# Stands before the real torch on the path, and lets it in once it is told to.
GATE = """
import os, sys, time
from pathlib import Path
here = Path(__file__).parents[1]
(here / "asked").touch()
while not (here / "open").exists():
    time.sleep(0.01)
sys.path.remove(str(here))
del sys.modules["torch"]
import torch
"""


@pytest.mark.terminal
def test_the_first_frame_needs_no_torch(tmp_path: Path) -> None:
    gate = tmp_path / "torch" / "__init__.py"
    gate.parent.mkdir()
    gate.write_text(GATE, encoding="utf-8")
    program = [sys.executable, "-m", "backprop_tui"]
    with Terminal(120, 40, program, env={"PYTHONPATH": str(tmp_path)}) as terminal:
        screen = terminal.wait_for("importing torch")
        for pane in ("steps", "forward", "manual", "autograd", "source"):
            assert pane in screen
        terminal.wait(lambda: (tmp_path / "asked").exists(), "torch to be asked for")
        terminal.press("?")
        terminal.wait_for("quit")
        terminal.press("Escape")
        (tmp_path / "open").touch()
        terminal.wait_for("iteration 1/500", timeout=60)
