"""Help: every live binding by what it is for, each pane's own words, and the glyphs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

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
KEYS_WIDTH = 13
"""Cells for the keys, before what they do."""


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
        self.query_one("#help-text", Static).update(page_text(self._sections, look))
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


def page_text(sections: list[Section], look: Palette) -> Text:
    """The whole page."""
    out = Text()
    for section in sections:
        out.append(f"{section.title}\n", f"bold {look.accent}")
        if section.words:
            out.append(f"{section.words}\n", look.text)
        for entry in section.keys:
            out.append(f"  {entry[0]:<{KEYS_WIDTH}} ", f"bold {look.formula}")
            out.append(f"{entry[1]}\n", look.text)
        out.append("\n")
    for title, entries in (
        ("Verdicts", [(g, w, look.verdict(v)) for g, v, w in GLYPHS]),
        ("Marks", [(g, w, look.formula) for g, w in MARKS]),
    ):
        out.append(f"{title}\n", f"bold {look.accent}")
        for glyph, words, colour in entries:
            out.append(f"  {glyph:<{KEYS_WIDTH}} ", colour)
            out.append(f"{words}\n", look.text)
        out.append("\n")
    return out
