"""Text onto the clipboard, by whatever way leads there; never a silent failure."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from textual.app import App

from ..errors import UserError
from ..export import to_private_file

LIMIT = 70_000  # bytes; terminals cut off or drop longer OSC 52 sequences
TIMEOUT = 2.0  # seconds for a clipboard program before the next way is tried
NO_CLIPBOARD = ("", "dumb", "linux")  # values of TERM without OSC 52


def copy(app: App[Any], text: str, name: str) -> str:
    """Put `text` on the clipboard and return what to tell the user.

    Tried in turn: tmux's own buffer inside tmux, the system's clipboard programs where
    they reach the user's desktop, OSC 52 through the terminal, which gives no answer and
    so is only called sent, and a private file, which is also where long texts go. A
    program that hangs costs `TIMEOUT` seconds, which is when a thread is the better
    place to call from.

    Raises:
        UserError: if even the file cannot be written.
    """
    content = text.encode()
    if len(content) > LIMIT:
        return _to_file(text, name, f"{len(content) // 1000:,} KB are too much for a clipboard")
    if not app.is_web:
        for command, where in _commands(os.environ):
            if _run(command, content):
                return f"copied {name} to {where}"
    if _reaches_terminal(app):
        app.copy_to_clipboard(text)
        return f"sent {name} to the terminal, which does not say whether it took it"
    return _to_file(text, name, "no clipboard was found")


def _commands(environment: Mapping[str, str]) -> Iterator[tuple[list[str], str]]:
    """The programs that reach the user's clipboard from here, and how to call the place."""
    if environment.get("TMUX"):
        # -w passes it on to the outer terminal; tmux before 3.2 does not know it.
        yield ["tmux", "load-buffer", "-w", "-"], "tmux: paste with prefix ]"
        yield ["tmux", "load-buffer", "-"], "tmux: paste with prefix ]"
    remote = "SSH_CONNECTION" in environment or "SSH_TTY" in environment
    if sys.platform == "darwin" and not remote:
        yield ["pbcopy"], "the clipboard"
    if environment.get("WAYLAND_DISPLAY") and not remote:
        yield ["wl-copy"], "the clipboard"
    if environment.get("DISPLAY"):  # X forwarding reaches the user's desktop over ssh too
        yield ["xclip", "-selection", "clipboard", "-in"], "the clipboard"
        yield ["xsel", "--clipboard", "--input"], "the clipboard"


def _run(command: list[str], content: bytes) -> bool:
    """Whether the program took `content`. One that stays to serve it may do so."""
    if shutil.which(command[0]) is None:
        return False
    try:
        # A session of its own, so that neither Ctrl-C nor our end takes the selection away.
        # No pipes back: xclip's background half would hold them open.
        done = subprocess.run(
            command,
            input=content,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=TIMEOUT,
            start_new_session=True,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _reaches_terminal(app: App[Any]) -> bool:
    """Whether an OSC 52 sequence has somebody to read it."""
    inside_tmux = bool(os.environ.get("TMUX"))  # its default drops what programs send
    return app.is_web or not (
        app.is_headless or inside_tmux or os.environ.get("TERM", "") in NO_CLIPBOARD
    )


def _to_file(text: str, name: str, why: str) -> str:
    try:
        path = to_private_file(text, name)
    except OSError as error:
        raise UserError(f"{why}, and no file for {name}: {error.strerror}") from error
    return f"{why}: {name} is in {path}"
