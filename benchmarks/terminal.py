"""A program in a pseudo-terminal, watched byte by byte from outside."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import NamedTuple

WIDTH, HEIGHT = 120, 40

# A terminal that paints whole frames says so when asked, and is then told where each ends.
SYNC_QUERY, SYNC_ANSWER = b"\x1b[?2026$p", b"\x1b[?2026;2$y"
FRAME_END = b"\x1b[?2026l"

# Variables that would make the program believe in another terminal than this one, or, unlike
# anybody's, compile all of its own code anew at each start.
FOREIGN = (
    "COLUMNS",
    "LINES",
    "NO_COLOR",
    "TMUX",
    "SSH_CONNECTION",
    "PYTHONDONTWRITEBYTECODE",
)


class Repaint(NamedTuple):
    """Seconds from a key press to the first frame that answers it, and to the last."""

    first: float
    last: float


class Program:
    """`command` started in a pseudo-terminal of 120×40; `started` is when, by `perf_counter`.

    Use it as a context manager: the process is ended on the way out.
    """

    def __init__(self, command: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        environment = {k: v for k, v in os.environ.items() if k not in FOREIGN}
        environment |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", **(env or {})}
        self.output = bytearray()
        self.started = time.perf_counter()
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            size = struct.pack("HHHH", HEIGHT, WIDTH, 0, 0)
            fcntl.ioctl(0, termios.TIOCSWINSZ, size)
            os.execvpe(command[0], list(command), environment)

    def __enter__(self) -> Program:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.descriptor)

    def read(self, timeout: float) -> bytes:
        """What the program wrote within `timeout` seconds, at once when there is something.

        Raises:
            EOFError: when the program has ended.
        """
        if not select.select([self.descriptor], [], [], timeout)[0]:
            return b""
        try:
            new = os.read(self.descriptor, 1 << 16)
        except OSError as error:  # Linux reports the end of the other side as EIO.
            raise EOFError(self.tail()) from error
        if not new:
            raise EOFError(self.tail())
        self.output += new
        if SYNC_QUERY in new:
            os.write(self.descriptor, SYNC_ANSWER)
        return new

    def wait_for(self, text: str, timeout: float = 60) -> float:
        """Seconds from the start until `text` was painted.

        Raises:
            TimeoutError: when it was not, with the end of the output.
        """
        wanted, seen = text.encode(), 0
        while wanted not in self.output[seen:]:
            seen = max(0, len(self.output) - len(wanted))
            if time.perf_counter() - self.started > timeout:
                raise TimeoutError(f"waited {timeout} s for {text!r}: {self.tail()}")
            self.read(0.5)
        return time.perf_counter() - self.started

    def press(self, keys: str, quiet: float = 0.1) -> Repaint:
        """Write `keys` and time the frames that follow, until `quiet` seconds without one.

        Raises:
            TimeoutError: when no frame followed within 10 seconds.
        """
        os.write(self.descriptor, keys.encode())
        pressed = time.perf_counter()
        frames: list[float] = []
        seen = len(self.output)
        while True:
            new = self.read(quiet)
            now = time.perf_counter()
            end = self.output.rfind(FRAME_END, seen)  # which two reads may share
            if end >= 0:
                frames.append(now - pressed)
                seen = end + len(FRAME_END)
            elif not new and frames:
                return Repaint(frames[0], frames[-1])
            if now - pressed > 10:
                raise TimeoutError(f"no end of frames after {keys!r}: {self.tail()}")

    def settle(self, quiet: float = 0.3) -> None:
        """Read until the program has been silent for `quiet` seconds.

        Raises:
            TimeoutError: when it goes on writing, as a blinking cursor does.
        """
        until = time.perf_counter() + 10
        while self.read(quiet):
            if time.perf_counter() > until:
                raise TimeoutError(f"the program goes on writing: {self.tail()}")

    def tail(self) -> str:
        """The end of what the program wrote, for messages."""
        return self.output[-400:].decode(errors="replace")
