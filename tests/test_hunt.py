"""The hunt of docs/hunt.md goes as it is told."""

from __future__ import annotations

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import torch

import backprop_tui as bp

from .test_program import SLOW
from .tmux import Terminal

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "examples/plateau.py"
PAGE = (ROOT / "docs/hunt.md").read_text(encoding="utf-8")


def mended():
    """The script with the page's diff applied."""
    before, after = (re.search(rf"^\{sign}( +.*)$", PAGE, re.MULTILINE)[1] for sign in "-+")
    broken = SCRIPT.read_text(encoding="utf-8")
    assert broken.count(before) == 1
    return broken.replace(before, after)


def test_the_culprit_is_found_where_the_page_says():
    command = [sys.executable, "-m", "backprop_tui", "check", "--json", str(SCRIPT)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    (finding,) = json.loads(done.stdout[done.stdout.index("{") :])["findings"]
    assert finding["kind"] == "missing-mask" and finding["severity"] == "error"
    unwrapped = " ".join(PAGE.split())
    assert f"plateau.py:{finding['line']}: {finding['message']} why: {finding['why']}" in unwrapped
    assert f"fix: {finding['fix']}" in unwrapped


def test_the_mended_script_has_no_findings_and_learns(tmp_path, capsys):
    script = tmp_path / "plateau.py"
    script.write_text(mended(), encoding="utf-8")
    runpy.run_path(str(script), run_name="__main__")
    assert float(capsys.readouterr().out.split()[-1]) < 0.01
    runpy.run_path(str(SCRIPT), run_name="__main__")
    assert float(capsys.readouterr().out.split()[-1]) > 0.1


def test_the_rule_of_the_page_verifies_the_mended_function(tmp_path):
    (tmp_path / "plateau.py").write_text(mended(), encoding="utf-8")
    scope = runpy.run_path(str(tmp_path / "plateau.py"))
    exec(re.search(r"^```python\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL)[1], scope | {"bp": bp})
    report = bp.assert_gradients(scope["Net"](), torch.randn(8, 2))
    assert report.ok and not report.coverage.missing


def test_the_keys_of_the_hunt_in_a_real_terminal(tmp_path):
    folders = {f"BACKPROP_TUI_{name}_DIR": str(tmp_path / name) for name in ("CONFIG", "STATE")}
    command = (sys.executable, "-m", "backprop_tui", "run", str(SCRIPT))
    with Terminal(150, 44, command, env=folders) as terminal:
        terminal.wait_for("! missing-mask", SLOW)
        terminal.press_at_once("7", "Enter")
        terminal.wait_for("21         return dy * 2 * x")
        terminal.wait_for("✗ missing-mask")
        terminal.press("p")
        terminal.wait_for("made from, read by")
        terminal.press("p")
        terminal.wait(lambda: "made from, read by" not in terminal.screen(), "the screen below")
        terminal.press("G")
        terminal.wait_for("used by the step")
