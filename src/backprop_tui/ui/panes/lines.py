"""A scrolling pane that paints line by line and repaints only the lines that changed."""

from __future__ import annotations

import textwrap
from collections.abc import Hashable
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.events import MouseEvent
from textual.geometry import Region
from textual.strip import Strip

from ..scroller import Scroller

CACHE_LIMIT = 8192


class LinePane(Scroller, can_focus=True, inherit_bindings=False):
    """Lines of rich text, drawn when they come into sight and kept by what they show.

    A subclass says how many lines there are (`line_count`), what each one shows
    (`line_key`, cheap) and how it looks (`line_text`, called once per key and width).
    """

    HELP: ClassVar[str] = ""
    """What the pane is for: the help screen prints it, and the pane itself while it is empty."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "line_up", "up", show=False, id="pane.up"),
        Binding("down,j", "line_down", "down", show=False, id="pane.down"),
        Binding("pageup", "page_up", "page up", show=False, id="pane.page-up"),
        Binding("pagedown", "page_down", "page down", show=False, id="pane.page-down"),
    ]

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._strips: dict[Hashable, Strip] = {}
        self._painted: dict[int, Hashable] = {}
        self._view: tuple[int, int, range] | None = None  # while lines are painted
        self.help = self.HELP

    def on_mount(self) -> None:
        self.app.theme_changed_signal.subscribe(self, lambda _theme: self.forget())

    # What a subclass says.

    def line_count(self) -> int:
        """How many lines there are."""
        raise NotImplementedError

    def line_key(self, line: int) -> Hashable:
        """All that the look of a line depends on, but width and theme."""
        raise NotImplementedError

    def line_text(self, line: int, width: int) -> Text:
        """The line itself."""
        raise NotImplementedError

    # Painting.

    def forget(self) -> None:
        """Paint everything anew: another theme, or what the keys do not tell."""
        self._strips.clear()
        self._painted.clear()
        self.measure()
        self.refresh()

    def measure(self) -> None:
        """Say how high the lines are together."""
        self.extend(0, self.line_count())

    def repaint(self) -> None:
        """Repaint what is in sight and has come to look otherwise than it was painted."""
        top, (width, height), thumb = self.scroll_offset.y, self.size, self.thumb()
        changed = [
            Region(0, y, width, 1)
            for y in range(height)
            if self._painted.get(y) != self._look_of(y, top, thumb)
        ]
        if changed:
            self.refresh(*changed)

    def _look_of(self, y: int, top: int, thumb: range) -> Hashable:
        """All that the look of a row of the screen depends on, but width and theme."""
        line, count = top + y, self.line_count()
        if line < count:
            return self.line_key(line), y in thumb
        return "" if count else (self.help, y)

    def render_lines(self, crop: Region) -> list[Strip]:
        self._view = self.scroll_offset.y, self.line_width, self.thumb()  # the same for all lines
        try:
            return super().render_lines(crop)
        finally:
            self._view = None

    def render_line(self, y: int) -> Strip:
        top, width, thumb = self._view or (self.scroll_offset.y, self.line_width, self.thumb())
        look = self._painted[y] = self._look_of(y, top, thumb)
        cached = (look, width, self.base)
        if (strip := self._strips.get(cached)) is None:
            if len(self._strips) >= CACHE_LIMIT:
                self._strips.clear()
            bar = self.bar[y in thumb]
            strip = Strip([*self.paint(self._text_of(y, width), width), bar], width + 1)
            self._strips[cached] = strip
        return strip

    def _text_of(self, y: int, width: int) -> Text:
        """A row of the screen; the pane's own help, while it has nothing else to show."""
        line = self.scroll_offset.y + y
        if line < self.line_count():
            return self.line_text(line, width)
        words = [] if self.line_count() else textwrap.wrap(self.help, max(1, width - 2))
        return Text(f" {words[y]}" if y < len(words) else "", self.palette.muted)

    def on_resize(self) -> None:
        self._painted.clear()
        self.measure()

    def reveal(self, first: int, last: int, margin: int = 1) -> None:
        """Scroll just so far that lines `first` to `last` are in sight."""
        height = self.size.height
        if not height:
            return
        top = self.scroll_offset.y
        margin = margin if last - first + 1 + 2 * margin <= height else 0
        target = top
        if last + margin >= top + height:
            target = last + margin - height + 1
        target = min(target, first - margin) if first - margin < target else target
        target = max(0, min(target, self.line_count() - height))
        if target != top:
            self.scroll_to(y=target, animate=False)

    def line_under(self, event: MouseEvent) -> int | None:
        """The line that the mouse points at, None beside the lines."""
        offset = event.get_content_offset(self)
        if offset is None or offset.x >= self.line_width:
            return None
        line = self.scroll_offset.y + offset.y
        return line if line < self.line_count() else None

    def action_line_up(self) -> None:
        self.scroll_relative(y=-1, animate=False)

    def action_line_down(self) -> None:
        self.scroll_relative(y=1, animate=False)

    def action_page_up(self) -> None:
        self.scroll_relative(y=-max(1, self.size.height - 1), animate=False)

    def action_page_down(self) -> None:
        self.scroll_relative(y=max(1, self.size.height - 1), animate=False)
