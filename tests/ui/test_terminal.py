"""The terminal in real life: native writes, resizes, Ctrl-Z, signals, crashes, a child."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tmux import Terminal

DEMO = [sys.executable, str(Path(__file__).with_name("demo_app.py"))]


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Terminal]:
    with Terminal(100, 30, DEMO, env={"TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": ""}) as terminal:
        terminal.wait_for("READY")
        yield terminal


def assert_sane(terminal: Terminal) -> None:
    """No alternate screen and no mouse tracking, and a cursor if the pane still lives."""
    assert terminal.ask("#{alternate_on} #{mouse_any_flag}#{mouse_all_flag}") == "0 00"
    # tmux itself hides the cursor of a pane whose command has ended.
    assert terminal.dead() or terminal.ask("#{cursor_flag}") == "1"


def test_the_screen_is_up(demo: Terminal) -> None:
    """What `assert_sane` denies is true while the app runs."""
    assert demo.ask("#{alternate_on} #{mouse_any_flag} #{cursor_flag}") == "1 1 0"


def test_quitting_is_quiet(demo: Terminal, tmp_path: Path) -> None:
    demo.press("q")
    assert demo.exit_code() == 0
    assert demo.screen().strip() == ""
    assert_sane(demo)
    assert list(tmp_path.iterdir()) == []


def test_columns_and_lines_do_not_hide_a_resize(demo: Terminal) -> None:
    demo.wait_for("size 100x30")
    demo.resize(20, 5)
    demo.wait_for("size 20x5")
    demo.resize(90, 30)
    demo.wait_for("size 90x30")


def test_native_writes_go_to_a_log_that_is_named_at_the_end(demo: Terminal, tmp_path: Path) -> None:
    demo.press("n")
    assert "JUNK" not in demo.wait_for("WROTE")
    demo.press("q")
    assert demo.exit_code() == 0
    (log,) = tmp_path.iterdir()
    assert log.stat().st_mode & 0o777 == 0o600
    content = log.read_text(encoding="utf-8")
    assert sorted(content.splitlines()) == ["JUNK by libc", "JUNK on 1", "JUNK on 2"]
    screen = demo.screen().replace("\n", "")
    assert log.name in screen
    assert "JUNK on 2" in screen


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_cleanly(demo: Terminal, number: signal.Signals) -> None:
    os.kill(demo.pid(), number)
    assert demo.exit_code() == 128 + number
    assert_sane(demo)


def test_it_ends_when_its_terminal_goes_away(demo: Terminal) -> None:
    pid = demo.pid()
    demo.tmux("kill-session", "-t", "main")
    demo.wait(lambda: not alive(pid), "the end of the app")


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_crash_shows_its_traceback_and_exits_non_zero(demo: Terminal) -> None:
    demo.press("e")
    assert demo.exit_code() == 1
    screen = demo.screen()
    assert "the demo's own" in screen
    assert "ZeroDivisionError" in screen
    assert_sane(demo)


def test_ctrl_z_and_fg_bring_the_screen_back(tmp_path: Path) -> None:
    shell = ["env", f"TMPDIR={tmp_path}", "PS1=shell$ ", "bash", "--norc", "-i"]
    with Terminal(60, 12, shell) as terminal:
        terminal.wait_for("shell$")
        terminal.type(" ".join(DEMO))
        terminal.press("Enter")
        terminal.wait_for("BOTTOM")
        terminal.press("C-z")
        terminal.wait_for("topped")
        assert_sane(terminal)
        terminal.type("fg")
        terminal.press("Enter")
        assert "READY" in terminal.wait_for("BOTTOM")
        assert "shell$" not in terminal.screen()
        terminal.press("n")
        terminal.wait_for("WROTE")


def test_outside_gives_the_terminal_to_a_child_and_takes_it_back(demo: Terminal) -> None:
    demo.press("o")
    screen = demo.wait_for("CHILD on 2")
    assert "PRINTED outside\nCHILD on 1\nCHILD on 2" in screen
    assert_sane(demo)
    demo.resize(70, 14)
    demo.press("Enter")
    assert "BOTTOM" in demo.wait_for("BACK")
    demo.wait_for("size 70x14")
    demo.press("n")
    assert "JUNK" not in demo.wait_for("WROTE")


def test_an_error_outside_still_brings_the_screen_back(demo: Terminal) -> None:
    demo.press("f")
    assert "BOTTOM" in demo.wait_for("SAID no REPL")


def test_a_redirected_stderr_is_left_to_the_user(tmp_path: Path) -> None:
    errors = tmp_path / "errors.txt"
    with Terminal(60, 12, f"{' '.join(DEMO)} 2> {errors}") as terminal:
        terminal.wait_for("READY")
        terminal.press("n")
        terminal.wait_for("WROTE")
        assert errors.read_text(encoding="utf-8") == "JUNK on 2\n"


def test_the_module_is_imported_without_torch() -> None:
    code = "import sys, backprop_tui.ui.terminal; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
