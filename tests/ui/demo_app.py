"""The smallest app around `ui.terminal`, driven by test_terminal.py inside tmux."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.events import Resize
from textual.widgets import Static

from backprop_tui.errors import UserError
from backprop_tui.ui import terminal


class Demo(App[None]):
    BINDINGS: ClassVar[list[BindingType]] = [
        ("n", "native"),
        ("e", "crash"),
        ("o", "outside"),
        ("f", "fail_outside"),
        ("ctrl+z", "suspend_process"),
        ("q", "quit"),
    ]

    def compose(self) -> ComposeResult:
        yield Static("READY", id="state")
        yield Static("", id="size")
        yield Static("BOTTOM")

    def on_mount(self) -> None:
        terminal.install_signals(self)

    def on_resize(self, event: Resize) -> None:
        self.query_one("#size", Static).update(f"size {event.size.width}x{event.size.height}")

    def show(self, text: str) -> None:
        self.query_one("#state", Static).update(text)

    def action_native(self) -> None:
        os.write(1, b"JUNK on 1\n")
        os.write(2, b"JUNK on 2\n")
        ctypes.CDLL(None).puts(b"JUNK by libc")
        self.show("WROTE")

    def action_crash(self) -> None:
        raise ZeroDivisionError("the demo's own")

    def action_outside(self) -> None:
        with terminal.outside(self):
            print("PRINTED outside")
            subprocess.run(["sh", "-c", "echo CHILD on 1; echo CHILD on 2 >&2; read line"])
        self.show("BACK")

    def action_fail_outside(self) -> None:
        try:
            with terminal.outside(self):
                raise UserError("no REPL")
        except UserError as error:
            self.show(f"SAID {error}")


if __name__ == "__main__":
    os.environ["COLUMNS"] = os.environ["LINES"] = "33"
    with terminal.guard():
        app = Demo()
        app.run()
    sys.exit(app.return_code or 0)
