"""One line below what a program prints, which says how far it is."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any, TextIO

_EVERY = 0.1  # seconds between two looks of the line
_CLEAR = "\r\x1b[2K"


class Progress:
    """A line on stderr that makes way for whatever the program prints; none without a terminal.

    While it is entered, `sys.stdout` and `sys.stderr` take the line away before they write.
    It is drawn only where the program's own line has come to its end.
    """

    def __init__(self) -> None:
        self._terminal = sys.stderr
        self._shown = False
        self._at_start = True
        self._last = 0.0
        self._before: tuple[TextIO, TextIO] | None = None

    def __enter__(self) -> Progress:
        if self._terminal.isatty():
            self._before = sys.stdout, sys.stderr
            sys.stdout, sys.stderr = _Watched(sys.stdout, self), _Watched(sys.stderr, self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self.clear()
        if self._before is not None:
            sys.stdout, sys.stderr = self._before

    def say(self, text: str) -> None:
        """Show `text`, where there is room and it is time for a new look."""
        now = time.monotonic()
        if self._before is None or not self._at_start or now - self._last < _EVERY:
            return
        self._last, self._shown = now, True
        self._terminal.write(f"{_CLEAR}\x1b[2m{text}\x1b[0m")
        self._terminal.flush()

    def clear(self) -> None:
        """Take the line away."""
        if self._shown:
            self._shown = False
            self._terminal.write(_CLEAR)
            self._terminal.flush()

    def wrote(self, text: str) -> None:
        """The program wrote `text`."""
        if text:
            self._at_start = text.endswith("\n")


class _Watched:
    """A text stream that tells the line below it when it writes, and is itself in all else."""

    def __init__(self, stream: TextIO, progress: Progress) -> None:
        self._stream, self._progress = stream, progress

    def write(self, text: str) -> int:
        self._progress.clear()
        self._progress.wrote(text)
        return self._stream.write(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
