"""What every test stands on: no file, variable or thread of the machine it runs on."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import settings

# How a sum is cut up among threads decides how it rounds.
torch.set_num_threads(1)

# The same examples on every run, and no limit on their time: a loaded machine fails no test.
settings.register_profile("tests", derandomize=True, deadline=None, database=None)
settings.load_profile("tests")

# What the terminal that runs the tests would tell the program.
FOREIGN = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TMUX", "SSH_CONNECTION", "SSH_TTY")


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings and state in a folder of this test, one kind of terminal, one seed."""
    monkeypatch.setenv("BACKPROP_TUI_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("BACKPROP_TUI_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for name in FOREIGN:
        monkeypatch.delenv(name, raising=False)
    torch.manual_seed(0)
