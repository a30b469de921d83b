"""Widgets that paint lines of rich text themselves.

Textual's own Static looks for markup, links and selections too, and takes three times as long;
and a widget's colours are worked out from those of all its ancestors each time they are asked for.
"""

from __future__ import annotations

from functools import cached_property

from rich.style import Style
from rich.text import Text
from textual.content import Content
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from .theme import Palette, palette_of


class Painted(Widget):
    """A widget that keeps its looks until they change."""

    def notify_style_update(self) -> None:
        super().notify_style_update()
        for name in ("palette", "base"):
            self.__dict__.pop(name, None)

    @cached_property
    def palette(self) -> Palette:
        """The colours of the theme that is on."""
        return palette_of(self.app.theme, self.app.current_theme.dark)

    @cached_property
    def base(self) -> Style:
        """The widget's own style."""
        return self.rich_style

    def paint(self, text: Text, width: int) -> Strip:
        """One line of text, cut at `width` cells or filled up to them."""
        text.end = ""
        text.no_wrap = True
        if text.cell_len > width:
            text.truncate(width, overflow="ellipsis")
        text.stylize_before(text.style)  # rich leaves it out where there are no spans
        strip = Strip(text.render(self.app.console))
        return strip.adjust_cell_length(width).apply_style(self.base)


class TextLine(Painted):
    """One line: what `render` says, or else what it was last told to show."""

    DEFAULT_CSS = "TextLine { height: 1; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._text = Text()

    def show_text(self, text: Text) -> None:
        """Show this from now on."""
        if not same(text, self._text):
            self._text = text
            self.refresh()

    def render(self) -> Text:
        return self._text

    def render_line(self, y: int) -> Strip:
        return self.paint(self.render(), self.size.width)


class TextLines(TextLine):
    """As many lines of `render` as there is room for, their words wrapped."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._said = Text()
        self._lines: list[Text] | None = None

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._lines = None

    def on_resize(self) -> None:
        self._lines = None

    def forget(self) -> None:
        """Ask `render` again: it may say something else."""
        if self.display and same(self.render(), self._said):
            return
        self._lines = None
        if self.display:
            self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if self._lines is None:
            self._said = self.render()
            self._lines = list(self._said.wrap(self.app.console, width))
        return self.paint(self._lines[y] if y < len(self._lines) else Text(), width)


def same(one: Text, other: Text) -> bool:
    """Whether two texts look the same; rich's own equality knows nothing of a text's own style."""
    return one == other and one.style == other.style


def retitle(pane: Widget, title: str, subtitle: str = "") -> None:
    """Change what a pane's frame says, and paint its two lines.

    Assigned to `border_title`, it has all of the pane painted anew, and what stands in it.
    """
    titles = Content(title), Content(subtitle)
    if titles == (pane._border_title, pane._border_subtitle):
        return
    pane._border_title, pane._border_subtitle = titles
    width, height = pane.outer_size
    pane.refresh(Region(-1, -1, width, 1), Region(-1, height - 2, width, 1))
