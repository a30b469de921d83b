"""A widget that scrolls and draws its own scrollbar.

Textual's scrollbars come and go with the content, and each time the whole screen is laid out
and painted anew. Here the last column is the bar's, always: what is shown may change at every
step, for the price of the lines that look different.
"""

from __future__ import annotations

from functools import cached_property

from rich.segment import Segment
from rich.style import Style
from textual.events import MouseDown, MouseEvent, MouseMove, MouseUp
from textual.geometry import Size
from textual.scroll_view import ScrollView

from .painted import Painted


class Scroller(ScrollView, Painted, can_focus=True, inherit_bindings=False):
    """A ScrollView whose place on the screen never depends on its content."""

    DEFAULT_CSS = "Scroller { overflow: hidden; }"

    @property
    def allow_vertical_scroll(self) -> bool:
        """Always; Textual asks whether one of its own scrollbars is in sight."""
        return True

    @property
    def allow_horizontal_scroll(self) -> bool:
        return True

    @property
    def line_width(self) -> int:
        """Cells in a line, the bar left out."""
        return max(0, self.size.width - 1)

    def extend(self, width: int, height: int) -> None:
        """Say how much there is to scroll over."""
        # Assigned plainly, it would have the whole screen laid out.
        self.set_reactive(Scroller.virtual_size, Size(width + 1, height))
        self.scroll_to(*self.scroll_offset, animate=False)  # the end may have come nearer

    # The bar.

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self.__dict__.pop("bar", None)

    @cached_property
    def bar(self) -> tuple[Segment, Segment]:
        """A piece of the bar, without the thumb and with it."""
        return Segment(" ", self.base), Segment("▐", self.base + Style(color=self.palette.dim))

    def thumb(self) -> range:
        """The lines of the bar that are lit: none while everything is in sight."""
        hidden = self.max_scroll_y
        if not hidden:
            return range(0)
        height = self.size.height
        length = max(1, height * height // self.virtual_size.height)
        top = round((height - length) * self.scroll_y / hidden)
        return range(top, top + length)

    def on_mouse_down(self, event: MouseDown) -> None:
        if self.max_scroll_y and event.x - self.gutter.left == self.line_width:
            self.capture_mouse()
            self._drag(event)

    def on_mouse_move(self, event: MouseMove) -> None:
        if self.app.mouse_captured is self:
            self._drag(event)

    def on_mouse_up(self, event: MouseUp) -> None:
        self.release_mouse()

    def _drag(self, event: MouseEvent) -> None:
        """Bring the thumb to the mouse."""
        share = (event.y - self.gutter.top) / max(1, self.size.height - 1)
        self.scroll_to(y=round(self.max_scroll_y * share), animate=False)
