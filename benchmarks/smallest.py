"""The smallest Textual app: what start-up is measured against."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.widgets import Static

PAINTED = "PAINTED"


class Smallest(App[None]):
    """One line of text."""

    def compose(self) -> ComposeResult:
        yield Static(PAINTED)


if __name__ == "__main__":
    Smallest().run()
