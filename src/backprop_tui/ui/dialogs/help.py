"""Help: every live binding by what it is for, each pane's own words, and the glyphs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from rich.console import Group
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.dom import DOMNode
from textual.screen import ModalScreen, Screen
from textual.widget import Widget
from textual.widgets import Static

from ..theme import Palette, palette_of

GLYPHS = (
    ("✓ exact", "exact", "the same bits"),
    ("≈ rounding", "rounding", "two right answers, apart by the op's own rounding"),
    ("~ amber", "amber", "further apart than rounding explains"),
    ("✗ different", "different", "not the same function"),
    ("? unverified", "unverified", "an op on the way has no rule"),
    ("· unchecked", "unchecked", "nothing to compare it with"),
)
MARKS = (
    ("▶ ▌", "where you are, and its twin at the same height"),
    ("▏", "what the current line reads"),
    ("●", "a breakpoint"),
    ("blue, orange", "negative, positive; stronger is larger"),
    ("· · ·", "not computed yet"),
)
KEYS_WIDTH = 15
"""Cells for the keys at least, before what they do."""


@dataclass(frozen=True)
class Section:
    """A heading, words about it, and its keys with what they do."""

    title: str
    words: str
    keys: tuple[tuple[str, str], ...]


class Help(ModalScreen[None]):
    """One scrolling page."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark", "dismiss", "close", id="help.close"),
        Binding("j", "scroll(1)", "down", show=False, id="help.down"),
        Binding("k", "scroll(-1)", "up", show=False, id="help.up"),
    ]

    def __init__(self, sections: list[Section]) -> None:
        super().__init__()
        self._sections = sections

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog page") as page:
            page.border_title = "help"
            page.border_subtitle = "↑↓ pgup pgdn · esc closes"
            yield Static(id="help-text")

    def on_mount(self) -> None:
        look = palette_of(self.app.theme, self.app.current_theme.dark)
        self.query_one("#help-text", Static).update(page(self._sections, look))
        self.query_one(VerticalScroll).focus()

    def action_scroll(self, lines: int) -> None:
        """Scroll by lines."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)


def describe(screen: Screen[None]) -> list[Section]:
    """The screen's keys by what they are for, then each pane's, as they are bound now."""
    keys = list(_live(screen))
    chapters: dict[tuple[int, str], list[Binding]] = {}
    for owner in reversed(type(screen).__mro__):
        if chapter := vars(owner).get("HELP_CHAPTER"):
            own = [b.id for b in Binding.make_bindings(vars(owner).get("BINDINGS", ()))]
            mine = [b for b in keys if b.id in own]
            mine.sort(key=lambda b: own.index(b.id))
            chapters.setdefault(chapter, []).extend(mine)
    chapters[max(chapters)] += [b for b in _live(screen.app) if b.id]
    sections = [
        Section(name, "", _lines(screen, chapters[n, name])) for n, name in sorted(chapters)
    ]
    for widget in screen.walk_children(Widget):
        words = getattr(widget, "help", "") or getattr(widget, "HELP", "")
        if words:
            title = str(widget.border_title or widget.id or type(widget).__name__)
            inherited = {b.id for b in _live(screen)}
            own_keys = (b for b in _live(widget) if b.id and b.id not in inherited)
            sections.append(Section(title, words, _lines(screen, own_keys)))
    return sections


def _live(node: DOMNode) -> Iterator[Binding]:
    """A node's bindings, with the user's own keys in place of ours."""
    bindings = node._bindings.copy()
    bindings.apply_keymap(node.app._keymap)
    for _, binding in bindings:
        if not binding.system and binding.description:
            yield binding


def _lines(screen: Screen[Any], bindings: Iterable[Binding]) -> tuple[tuple[str, str], ...]:
    """Keys, and what they do; keys of one action, or of one group, on one line."""
    lines: dict[object, tuple[list[str], list[str]]] = {}
    for binding in bindings:
        keys, words = lines.setdefault(binding.group or binding.action, ([], []))
        keys.append(screen.app.get_key_display(binding))
        words.append(binding.tooltip or binding.description)
    return tuple(
        (" ".join(dict.fromkeys(keys)), ", ".join(dict.fromkeys(words)))
        for keys, words in lines.values()
    )


def page(sections: list[Section], look: Palette) -> Group:
    """The whole page. What does not fit on a line goes on below itself, beside the keys."""
    parts: list[Text | Table] = []
    for section in sections:
        entries = [(keys, f"bold {look.formula}", words) for keys, words in section.keys]
        parts += _chapter(section.title, section.words, entries, look)
    verdicts = [(glyph, look.verdict(verdict), words) for glyph, verdict, words in GLYPHS]
    parts += _chapter("Verdicts", "", verdicts, look)
    parts += _chapter("Marks", "", [(mark, look.formula, words) for mark, words in MARKS], look)
    return Group(*parts)


def _chapter(
    title: str, words: str, entries: Iterable[tuple[str, str, str]], look: Palette
) -> list[Text | Table]:
    """A heading, words about it, and its entries: what, how that looks, and what it means."""
    heading = Text(title, f"bold {look.accent}")
    if words:
        heading.append(f"\n{words}", look.text)
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(min_width=KEYS_WIDTH, no_wrap=True)
    table.add_column()
    for what, style, meaning in entries:
        table.add_row(Text(f"  {what}", style), Text(meaning, look.text))
    return [heading, table, Text()]
