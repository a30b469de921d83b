"""A real terminal for tests: a command inside tmux, driven by keys and read as text.

Nothing sleeps for a fixed time: every wait polls until a deadline.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import pytest

CONFIGURATION = """
set -g remain-on-exit on
set -g remain-on-exit-format ""
set -g status off
set -g default-terminal tmux-256color
set -g history-limit 5000
set -s escape-time 0
"""

# These would make a program inside believe in another terminal than this one.
FOREIGN = ("COLUMNS", "LINES", "TMUX", "TMUX_PANE", "NO_COLOR", "STY", "SSH_CONNECTION")


class Terminal:
    """`command` running in a terminal of `width` × `height` on a tmux server of its own.

    Args:
        width: columns.
        height: rows.
        command: a program and its arguments, or one line for the shell.
        env: variables to set for the command.

    Use it as a context manager, or call `close`. Every wait raises AssertionError
    with the screen in its message once `timeout` seconds have passed.
    """

    def __init__(
        self,
        width: int,
        height: int,
        command: str | Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
    ) -> None:
        if shutil.which("tmux") is None:
            pytest.fail("this test needs tmux: apt-get install tmux, or brew install tmux")
        self._folder = tempfile.TemporaryDirectory(prefix="tmux-")
        configuration = Path(self._folder.name, "tmux.conf")
        configuration.write_text(CONFIGURATION, encoding="utf-8")
        self.socket = str(Path(self._folder.name, "socket"))
        self._environment = {k: v for k, v in os.environ.items() if k not in FOREIGN}
        line = command if isinstance(command, str) else shlex.join(command)
        settings = [f"-e{name}={value}" for name, value in (env or {}).items()]
        self.tmux(
            *("-f", str(configuration), "new-session", "-d", "-s", "main"),
            *("-x", str(width), "-y", str(height), *settings, line),
        )

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def tmux(self, *arguments: str) -> str:
        """Run one tmux command on this terminal's server and return what it printed."""
        done = subprocess.run(
            ["tmux", "-S", self.socket, *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=20,
        )
        assert done.returncode == 0, f"tmux {shlex.join(arguments)}: {done.stderr.strip()}"
        return done.stdout

    def ask(self, form: str) -> str:
        """The value of a tmux format, as `#{alternate_on}` or `#{mouse_any_flag}`."""
        return self.tmux("display-message", "-p", "-t", "main", form).rstrip("\n")

    def press(self, *keys: str) -> None:
        """Press keys by their tmux names: `"s"`, `"Enter"`, `"C-c"`, `"Up"`, `"Escape"`."""
        for key in keys:
            # A bare semicolon would end the tmux command.
            self.tmux("send-keys", "-t", "main", "\\;" if key == ";" else key)

    def press_at_once(self, *keys: str) -> None:
        """Press keys with no time between them."""
        self.tmux("send-keys", "-t", "main", *keys)

    def type(self, text: str) -> None:
        """Type text as it stands, with no key names in it."""
        self.tmux("send-keys", "-t", "main", "-l", "--", text)

    def screen(self) -> str:
        """What stands on the screen, one line a row, blanks at the right removed."""
        return self.tmux("capture-pane", "-p", "-t", "main")

    def wait(self, condition: Callable[[], bool], what: str, timeout: float = 20) -> None:
        """Poll until `condition` holds; `what` names it in the failure."""
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"waited {timeout} s for {what}; the screen:\n{self.screen()}")
            time.sleep(0.03)

    def wait_for(self, text: str, timeout: float = 20) -> str:
        """Poll until `text` is on the screen; returns that screen."""
        seen = ""

        def shown() -> bool:
            nonlocal seen
            seen = self.screen()
            return text in seen

        self.wait(shown, repr(text), timeout)
        return seen

    def resize(self, width: int, height: int) -> None:
        """Give the terminal another size."""
        self.tmux("resize-window", "-t", "main", "-x", str(width), "-y", str(height))

    def dead(self) -> bool:
        """Whether the command has ended and tmux knows how."""
        form = "#{pane_dead},#{pane_dead_status}#{pane_dead_signal},#{pid}"
        dead, status, server = self.ask(form).split(",")
        if dead == "1" and not status:
            # tmux 3.3 can miss that a child became a zombie; this makes it look again.
            os.kill(int(server), signal.SIGCHLD)
        return dead == "1" and status != ""

    def exit_code(self, timeout: float = 20) -> int:
        """Wait for the command's end; its exit code, or 128 + n if signal n killed it."""
        self.wait(self.dead, "the command's end", timeout)
        killer = self.ask("#{pane_dead_signal}")
        return 128 + int(killer) if killer else int(self.ask("#{pane_dead_status}"))

    def pid(self) -> int:
        """The process id of the command."""
        return int(self.ask("#{pane_pid}"))

    def close(self) -> None:
        """End the server and all that runs in it. Calling it twice is harmless."""
        subprocess.run(
            ["tmux", "-S", self.socket, "kill-server"],
            env=self._environment,
            capture_output=True,
            timeout=20,
        )
        self._folder.cleanup()
