"""`backprop-tui run` in a real terminal: a script stops, shows itself, and goes on."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from .test_program import SLOW
from .tmux import Terminal

TRAIN = """
    import sys
    import torch
    from torch import nn

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(6):
        loss = model(torch.randn(8, 3)).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print("epoch", epoch, "of", sys.argv[1])
    if sys.argv[1] == "fail":
        hidden = torch.sigmoid(model(torch.ones(1, 3)))
        hidden.mul_(2)
        hidden.sum().backward()
    sys.exit(7)
"""


@pytest.fixture(params=["well", "fail"])
def running(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Terminal]:
    (tmp_path / "train.py").write_text(textwrap.dedent(TRAIN), encoding="utf-8")
    command = (
        *("sh", "-c", 'cd "$0" && shift 0; "$@"; echo "ended with $?"; sleep 600', str(tmp_path)),
        *(sys.executable, "-m", "backprop_tui", "run", "train.py", request.param),
    )
    folders = {f"BACKPROP_TUI_{name}_DIR": str(tmp_path / name) for name in ("CONFIG", "STATE")}
    with Terminal(120, 40, command, env={**folders, "COLORTERM": "truecolor"}) as terminal:
        terminal.wait_for("train.py step 1", SLOW)
        terminal.fails = request.param == "fail"  # type: ignore[attr-defined]
        yield terminal


def test_a_script_stops_goes_on_and_ends(running: Terminal) -> None:
    running.wait_for("iteration 1/1", SLOW)
    running.press("}")
    running.wait_for("train.py step 2", SLOW)
    running.wait_for("iteration 2/2", SLOW)
    running.press("o")
    running.wait_for("epoch 0 of")
    running.press("Enter")
    running.wait_for("iteration 2/2", SLOW)
    running.press("b")
    running.wait_for("at a place")
    running.type("step == 5")
    running.press("Enter")
    running.wait(lambda: "at a place" not in running.screen(), "the dialog has closed")
    running.press("c")
    running.wait_for("train.py step 5", SLOW)
    running.wait_for("iteration 3/3", SLOW)
    running.press("c")
    if running.fails:  # type: ignore[attr-defined]
        running.wait_for("overwritten-value", SLOW)
        running.press("q")
        running.wait_for("ended with 1", SLOW)
        assert "modified by an inplace operation" in running.screen()
    else:
        running.wait_for("ended with 7", SLOW)
    assert "epoch 5 of" in running.screen()
