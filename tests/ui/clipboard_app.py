"""An app that copies the text of its first argument on `y`, driven inside tmux."""

from __future__ import annotations

import sys
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.widgets import Static

from backprop_tui.ui.clipboard import copy


class Copier(App[None]):
    BINDINGS: ClassVar[list[BindingType]] = [("y", "copy")]

    def compose(self) -> ComposeResult:
        yield Static("READY")

    def action_copy(self) -> None:
        self.query_one(Static).update(copy(self, sys.argv[1], "rex4"))


if __name__ == "__main__":
    Copier().run()
