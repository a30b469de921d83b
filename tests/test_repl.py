"""The REPL as a user meets it: a real child on a real pseudo-terminal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect  # type: ignore[import-untyped]
import pytest

from backprop_tui import repl
from backprop_tui.errors import UserError

PARENT = """
import sys, termios, torch
from backprop_tui.repl import run_repl

base = torch.arange(1000.0)
names = {
    "x4": torch.tensor([[0.5, -0.0], [float("inf"), 1.0]]),
    "P0": torch.nn.Parameter(torch.ones(2, 3)),
    "h": torch.ones(2, requires_grad=True) * 2,
    "part": base[3:5],
    "copied": torch._lazy_clone(base[:2]),
    "half": torch.ones(2, dtype=torch.bfloat16),
    "pgrad": [None, torch.ones(3), None],
    "grad": {"fc1.weight": torch.zeros(2)},
    "loss": 2.5,
    "unsent": lambda: 0,
    "torch": torch,
}
before = termios.tcgetattr(0)
code = run_repl(names, "iteration 1, step 7 of 20: rex4")
print("CODE", code, "MODE", termios.tcgetattr(0) == before)
"""

PROMPTS = {"python": ">>> ", "ipython": r"In \[\d+\]: "}
CHECKS = {
    "x4.tolist()": "[[0.5, -0.0], [inf, 1.0]]",
    "type(P0).__name__, P0.requires_grad, h.requires_grad": "('Tensor', True, True)",
    "part.tolist(), part.untyped_storage().nbytes()": "([3.0, 4.0], 8)",
    "copied.tolist(), half.dtype": "([0.0, 1.0], torch.bfloat16)",
    "pgrad[0], pgrad[1].sum().item()": "(None, 3.0)",
    "grad['fc1.weight'].shape, loss": "(torch.Size([2]), 2.5)",
    "'unsent' in globals() or 'child' in globals()": "False",
}


class Repl:
    """A parent on a pseudo-terminal that has called `run_repl`."""

    def __init__(self, shell: str, folder: Path) -> None:
        self.folder = folder
        self.prompt = PROMPTS[shell]
        environment = {
            **os.environ,
            "BACKPROP_TUI_REPL": shell,
            "TMPDIR": str(folder),
            "IPYTHONDIR": str(folder / "ipython"),
            "TERM": "dumb",
            "IPY_TEST_SIMPLE_PROMPT": "1",
            "PYTHON_BASIC_REPL": "1",
        }
        self.child = pexpect.spawn(
            sys.executable, ["-c", PARENT], env=environment, encoding="utf-8", timeout=60
        )
        self.child.expect(self.prompt)
        self.banner = self.child.before

    def ask(self, line: str, answer: str) -> None:
        self.child.sendline(line)
        self.child.expect_exact(answer)
        self.child.expect(self.prompt)

    def left_behind(self) -> list[Path]:
        return list(self.folder.rglob("values.pt"))


@pytest.fixture(params=list(PROMPTS))
def shell(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def talk(shell: str, tmp_path: Path) -> Iterator[Repl]:
    talk = Repl(shell, tmp_path)
    yield talk
    talk.child.close(force=True)


def test_every_name_is_bound_with_its_value(talk: Repl) -> None:
    assert "iteration 1, step 7 of 20: rex4" in talk.banner
    assert "names: x4, P0, h, part, copied, half, pgrad, grad, loss, torch" in talk.banner
    assert "not handed over: unsent\r\n" in talk.banner
    assert "Ctrl-D" in talk.banner
    assert talk.left_behind() == []
    for line, answer in CHECKS.items():
        talk.ask(line, answer)
    talk.child.sendline("exit()")
    talk.child.expect_exact("CODE 0 MODE True")
    talk.child.expect(pexpect.EOF)
    assert list(talk.folder.glob("backprop-tui-repl-*")) == []


def test_ctrl_c_belongs_to_the_repl(talk: Repl) -> None:
    talk.child.sendline("import time; print('be' + 'gun'); time.sleep(600)")
    talk.child.expect_exact("begun")
    talk.child.sendintr()
    talk.child.expect_exact("KeyboardInterrupt")
    talk.child.expect(talk.prompt)
    talk.child.sendintr()
    talk.ask("torch.ones(2).sum().item()", "2.0")
    talk.child.sendeof()
    talk.child.expect_exact("CODE 0 MODE True")


def test_a_child_that_crashes_leaves_the_terminal_as_it_was(talk: Repl) -> None:
    talk.child.sendline("import os, tty; tty.setraw(0); os.kill(os.getpid(), 9)")
    talk.child.expect_exact("CODE -9 MODE True")


def test_asked_to_end_it_ends_the_child_first(talk: Repl) -> None:
    talk.child.kill(signal.SIGTERM)
    talk.child.expect(pexpect.EOF)
    talk.child.close()
    assert talk.child.signalstatus == signal.SIGTERM
    assert list(talk.folder.glob("backprop-tui-repl-*")) == []


def test_an_unknown_repl_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKPROP_TUI_REPL", "ptpython")
    with pytest.raises(UserError, match="BACKPROP_TUI_REPL=ptpython: it can be ipython or python"):
        repl.run_repl({}, "")


def test_ipython_wanted_but_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKPROP_TUI_REPL", "ipython")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'backprop-tui\[repl\]'"):
        repl.run_repl({}, "")


def test_the_values_are_private_while_they_wait_and_gone_whatever_happens(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen = {}

    def no_child(*_: object) -> None:
        for path in tmp_path.rglob("*"):
            seen[path.suffix] = path.stat().st_mode & 0o777
        raise OSError("no child")

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("subprocess.Popen", no_child)
    with pytest.raises(OSError, match="no child"):
        repl.run_repl({"loss": 1.0}, "here")
    assert seen == {"": 0o700, ".pt": 0o600}
    assert list(tmp_path.iterdir()) == []


def test_the_module_is_imported_without_torch() -> None:
    code = "import sys, backprop_tui.repl; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
