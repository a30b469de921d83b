"""Every way to a clipboard, with real tmux and with stand-ins for the system's programs."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from textual.app import App

from backprop_tui.errors import UserError
from backprop_tui.ui import clipboard
from tests.tmux import Terminal

TEXT = 'rex4 = torch.tensor([float("nan")])  # 5×4; "$HOME" `x`'


class Recorder(App[None]):
    """An app that is never run; it keeps what it was to send to its terminal."""

    is_web = False
    is_headless = False

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[str] = []

    def copy_to_clipboard(self, text: str) -> None:
        self.sent.append(text)


@pytest.fixture
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment in which the only programs are those that a test puts here."""
    for name in ("TMUX", "WAYLAND_DISPLAY", "DISPLAY", "SSH_CONNECTION", "SSH_TTY"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    return folder


def install(folder: Path, name: str, body: str = "") -> Path:
    """A stand-in that keeps its arguments and what it reads, then runs `body`."""
    kept = folder / f"{name}.got"
    program = folder / name
    cat = shutil.which("cat", path="/bin:/usr/bin")
    program.write_text(f'#!/bin/sh\n{cat} > "{kept}"\necho "$@" > "{kept}.args"\n{body}\n')
    program.chmod(0o755)
    return kept


WAYS = {
    "tmux": ("TMUX", "load-buffer -w -", "copied rex4 to tmux: paste with prefix ]"),
    "wl-copy": ("WAYLAND_DISPLAY", "", "copied rex4 to the clipboard"),
    "xclip": ("DISPLAY", "-selection clipboard -in", "copied rex4 to the clipboard"),
    "xsel": ("DISPLAY", "--clipboard --input", "copied rex4 to the clipboard"),
}


@pytest.mark.parametrize("program", WAYS)
def test_each_program_is_given_the_text(
    program: str, bin_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variable, arguments, message = WAYS[program]
    monkeypatch.setenv(variable, "there")
    kept = install(bin_folder, program)
    app = Recorder()
    assert clipboard.copy(app, TEXT, "rex4") == message
    assert kept.read_text(encoding="utf-8") == TEXT
    assert Path(f"{kept}.args").read_text().strip() == arguments
    assert app.sent == []


def test_pbcopy_on_a_mac_but_not_over_ssh(
    bin_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    kept = install(bin_folder, "pbcopy")
    app = Recorder()
    assert clipboard.copy(app, TEXT, "rex4") == "copied rex4 to the clipboard"
    assert kept.read_text(encoding="utf-8") == TEXT
    monkeypatch.setenv("SSH_CONNECTION", "there")
    assert clipboard.copy(app, TEXT, "rex4").startswith("sent rex4 to the terminal")
    assert app.sent == [TEXT]


def test_a_program_that_fails_hands_over_to_the_next(
    bin_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    install(bin_folder, "xclip", "exit 1")
    kept = install(bin_folder, "xsel")
    assert clipboard.copy(Recorder(), TEXT, "rex4") == "copied rex4 to the clipboard"
    assert kept.read_text(encoding="utf-8") == TEXT


def test_an_old_tmux_is_asked_without_w(bin_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMUX", "there")
    kept = install(bin_folder, "tmux", '[ "$2" != -w ]')
    assert "tmux" in clipboard.copy(Recorder(), TEXT, "rex4")
    assert Path(f"{kept}.args").read_text().strip() == "load-buffer -"


def test_a_program_that_hangs_is_given_up(
    bin_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(clipboard, "TIMEOUT", 0.3)
    install(bin_folder, "xclip", f"exec {shutil.which('sleep', path='/bin:/usr/bin')} 600")
    app = Recorder()
    assert clipboard.copy(app, TEXT, "rex4").startswith("sent rex4")
    assert app.sent == [TEXT]


def test_a_program_that_stays_in_the_background_is_not_waited_for(
    bin_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    sleep = shutil.which("sleep", path="/bin:/usr/bin")
    install(bin_folder, "xclip", f"{sleep} 5 &")
    assert clipboard.copy(Recorder(), TEXT, "rex4") == "copied rex4 to the clipboard"


def test_without_a_program_the_terminal_is_sent_it(bin_folder: Path) -> None:
    app = Recorder()
    message = clipboard.copy(app, TEXT, "rex4")
    assert message.startswith("sent rex4 to the terminal")
    assert "copied" not in message
    assert app.sent == [TEXT]


@pytest.mark.parametrize(("variable", "value"), [("TERM", "linux"), ("TMUX", "there")])
def test_where_nothing_would_arrive_it_goes_to_a_private_file(
    bin_folder: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    app = Recorder()
    assert_in_file(clipboard.copy(app, TEXT, "rex4"), TEXT)
    assert app.sent == []


def test_a_long_text_goes_to_a_private_file(
    bin_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    kept = install(bin_folder, "xclip")
    message = clipboard.copy(Recorder(), "×" * 40_000, "rex4")
    assert message.startswith("80 KB are too much for a clipboard")
    assert_in_file(message, "×" * 40_000)
    assert not kept.exists()


def assert_in_file(message: str, text: str) -> None:
    path = Path(message.rpartition("rex4 is in ")[2])
    assert path.read_text(encoding="utf-8") == text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_when_even_the_file_fails_it_says_so(
    bin_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr("tempfile.tempdir", str(bin_folder / "gone"))
    with pytest.raises(UserError, match="no clipboard was found, and no file for rex4: No such"):
        clipboard.copy(Recorder(), TEXT, "rex4")


def test_in_a_real_tmux_the_text_is_in_its_buffer() -> None:
    app = [sys.executable, str(Path(__file__).with_name("clipboard_app.py")), TEXT]
    with Terminal(80, 6, app) as terminal:
        terminal.wait_for("READY")
        terminal.press("y")
        terminal.wait_for("copied rex4 to tmux")
        assert terminal.tmux("show-buffer") == TEXT


def test_the_module_is_imported_without_torch() -> None:
    code = "import sys, backprop_tui.ui.clipboard; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
