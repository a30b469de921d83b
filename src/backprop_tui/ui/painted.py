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
        self._lines: list[Text] | None = None  # None where nothing is known of them

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._lines = None

    def on_resize(self) -> None:
        self._lines = None

    def forget(self) -> None:
        """Ask `render` again, and paint the lines that came to say something else."""
        before = self._lines
        if not self.display or before is None:
            self._lines = None
            self.refresh()
            return
        said, (width, height) = self.render(), self.size
        if not same(said, self._said):
            self._say(said, width)
            for y in range(height):
                if not same(_line(before, y), _line(self._lines, y)):
                    self.refresh(Region(0, y, width, 1))

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if self._lines is None:
            self._say(self.render(), width)
        return self.paint(_line(self._lines, y).copy(), width)

    def _say(self, said: Text, width: int) -> None:
        self._said, self._lines = said, list(said.wrap(self.app.console, width))


def _line(lines: list[Text] | None, number: int) -> Text:
    return lines[number] if lines and number < len(lines) else Text()


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
