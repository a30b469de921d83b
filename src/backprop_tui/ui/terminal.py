"""What keeps the terminal right: native writes, signals, suspension, and clean ends.

`guard` goes around the making and running of the app, `install_signals` into its
`on_mount`, and `outside` around whatever needs the terminal while the app is up.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import os
import signal
import sys
import tempfile
from collections import deque
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from textual.app import App

STREAMS = (1, 2)  # stdout and stderr, as libraries in C know them
LAST_LINES = 5


class Diversion:
    """Leads file descriptors 1 and 2 away from the terminal into a log file.

    Native code that writes there would tear holes into the screen. Python's own streams
    go on to the terminal, so that Textual draws and a traceback is seen. A descriptor
    that is no terminal is the user's own redirection and stays as it is.
    """

    def __init__(self) -> None:
        self._log, name = tempfile.mkstemp(prefix="backprop-tui-", suffix=".log")
        self.path = Path(name)
        self._terminals = {number: os.dup(number) for number in STREAMS if os.isatty(number)}

    def start(self) -> None:
        """Lead the descriptors into the log."""
        for number in self._terminals:
            os.dup2(self._log, number)

    def stop(self) -> None:
        """Lead them to the terminal again, once what C code still buffers is in the log."""
        ctypes.CDLL(None).fflush(None)
        for number, terminal in self._terminals.items():
            os.dup2(terminal, number)

    @contextlib.contextmanager
    def lifted(self) -> Iterator[None]:
        """The descriptors as they were before, for as long as the block lasts."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def open_streams(self) -> tuple[TextIO, TextIO]:
        """Text streams to where stdout and stderr led before."""
        out, err = (
            open(  # noqa: SIM115 - they live as long as the guard
                os.dup(self._terminals.get(number, number)),
                "w",
                buffering=1,
                encoding="utf-8",
                errors="backslashreplace",
            )
            for number in STREAMS
        )
        return out, err

    def close(self) -> str:
        """Free everything. Returns what to tell the user about the log, or nothing."""
        for descriptor in (self._log, *self._terminals.values()):
            os.close(descriptor)
        with self.path.open(encoding="utf-8", errors="replace") as file:
            last = deque(file, maxlen=LAST_LINES)
        if not last:
            self.path.unlink()
            return ""
        body = "".join(f"  {line.rstrip()}\n" for line in last)
        return f"written past the screen, kept in {self.path}, which ends:\n{body}"


_diversion: Diversion | None = None


@contextlib.contextmanager
def guard() -> Iterator[None]:
    """Keep the terminal whole around an app; on leaving, say what was held back.

    Make the app inside, then run it: COLUMNS and LINES leave the environment, since an
    app made while they are there believes them and ignores every resize.
    """
    global _diversion
    for name in ("COLUMNS", "LINES"):
        os.environ.pop(name, None)
    diversion = _diversion = Diversion()
    before = (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
    streams = diversion.open_streams()
    screen = _the_terminal(*streams)
    sys.stdout, sys.stderr = streams
    # Textual draws on __stderr__ and asks __stdout__ for the size.
    sys.__stdout__ = sys.__stderr__ = screen  # type: ignore[misc, assignment]
    diversion.start()
    try:
        yield
    finally:
        _diversion = None
        diversion.stop()
        sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__ = before  # type: ignore[misc]
        for stream in streams:
            with contextlib.suppress(OSError):  # the terminal may be gone
                stream.close()
        message = diversion.close()
        if message:
            print(message, end="", file=sys.stderr)


@contextlib.contextmanager
def within_a_program() -> Iterator[None]:
    """An app in the middle of a running program, which finds everything as it was.

    Its signal handlers, its event loop, its garbage collector, and a stdin that is no terminal.
    """
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    loop = asyncio._get_running_loop()
    collecting, stdin = gc.isenabled(), sys.__stdin__
    asyncio._set_running_loop(None)
    try:
        with _keyboard() as keyboard:
            sys.__stdin__ = keyboard  # type: ignore[misc, assignment]
            yield
    finally:
        sys.__stdin__ = stdin  # type: ignore[misc]
        asyncio._set_running_loop(loop)
        gc.unfreeze()
        (gc.enable if collecting else gc.disable)()
        for number, handler in handlers.items():
            signal.signal(number, handler)


_SIGNALS = (
    *(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGWINCH),
    *(signal.SIGTSTP, signal.SIGCONT),
)


@contextlib.contextmanager
def _keyboard() -> Iterator[TextIO | None]:
    """Where the keys come from: the terminal itself, where stdin is the program's data."""
    if sys.__stdin__ is not None and not sys.__stdin__.closed and sys.__stdin__.isatty():
        yield sys.__stdin__
    else:
        with open("/dev/tty", encoding="utf-8") as terminal:
            yield terminal


def at_hand() -> bool:
    """Whether there is a terminal to draw on and to type at."""
    streams = (sys.__stdout__, sys.__stderr__)
    drawn = any(stream is not None and stream.isatty() for stream in streams)
    try:
        with _keyboard():
            return drawn
    except OSError:
        return False


def _the_terminal(out: TextIO, err: TextIO) -> TextIO:
    """The stream to draw on: with `2> errors.txt`, that is stdout."""
    return err if err.isatty() or not out.isatty() else out


def install_signals(app: App[Any]) -> None:
    """Make SIGTERM and SIGHUP leave the app with code 128 + n, and repaint after `fg`.

    Call it from `on_mount`; by default both signals would leave the alternate screen
    and the mouse tracking on.
    """
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, partial(app.exit, return_code=128 + number))
    # The terminal forgot what it showed, and Textual would draw only what has changed.
    app.app_resume_signal.subscribe(
        app, lambda _: app.call_later(partial(app.refresh, layout=True))
    )


@contextlib.contextmanager
def outside(app: App[Any]) -> Iterator[None]:
    """Leave the screen for the block, with stdout and stderr as they were at launch.

    What the block raises is raised once the screen is back.

    Raises:
        textual.app.SuspendNotSupported: where there is no terminal to give away.
    """
    error: BaseException | None = None
    lifted = _diversion.lifted() if _diversion else contextlib.nullcontext()
    with app.suspend(), lifted:
        # An exception inside App.suspend would leave the app without its screen.
        try:
            yield
        except BaseException as caught:
            error = caught
    if error is not None:
        raise error
