"""`tape.show()` in a real terminal: the screen opens on a tape, closes, and the program goes on."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

from .test_program import SLOW
from .tmux import Terminal

# The screen shows these lines: what is waited for stands in none of them.
SCRIPT = """
    import torch
    from torch import nn
    import backprop_tui as bp

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    x = torch.randn(8, 3)
    print("before it opens")
    for number in (1, 2):
        with bp.record(model) as tape:
            model(x).pow(2).mean().backward()
        tape.show(f"tape {number}")
        print("closed", number)
    print("answered", input(f"after {number} "))
"""


def test_the_screen_opens_on_a_tape_and_the_program_goes_on(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(textwrap.dedent(SCRIPT), encoding="utf-8")
    folders = {f"BACKPROP_TUI_{name}_DIR": str(tmp_path / name) for name in ("CONFIG", "STATE")}
    with Terminal(120, 40, (sys.executable, str(script)), env=folders) as terminal:
        terminal.wait_for("tape 1", SLOW)
        terminal.wait_for("iteration 1/1", SLOW)
        assert terminal.ask("#{alternate_on}") == "1"
        terminal.press("q")
        terminal.wait_for("tape 2", SLOW)
        terminal.wait_for("iteration 1/1", SLOW)
        terminal.press("q")
        terminal.wait_for("after 2", SLOW)
        assert terminal.ask("#{alternate_on},#{mouse_any_flag}") == "0,0"
        terminal.type("ünicode")
        terminal.press("Enter")
        screen = terminal.wait_for("answered ünicode", SLOW)
        assert terminal.exit_code() == 0
    said = ["before it opens", "closed 1", "closed 2"]
    assert [line for line in screen.splitlines() if line in said] == said
