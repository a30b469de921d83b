"""Help: every live binding by where it works, each pane's own words, and the glyphs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingsMap, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen, Screen
from textual.widget import Widget
from textual.widgets import Static

from ..theme import Palette, palette_of

GLYPHS = (
    ("✓ exact", "exact", "the same bits"),
    ("≈ rounding", "rounding", "as close as this op's own rounding lets two right answers be"),
    ("~ amber", "amber", "further apart than rounding explains, not enough to convict"),
    ("✗ different", "different", "not the same function"),
    ("? unverified", "unverified", "an op on the way has no rule"),
    ("· unchecked", "unchecked", "nothing to compare it with"),
)
MARKS = (
    ("▶ ▌", "where you are, and its twin beside it"),
    ("▏", "what the current line reads"),
    ("●", "a breakpoint"),
    ("blue / orange", "negative / positive; the stronger, the larger in its tensor"),
    ("· · ·", "not computed yet"),
)


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
        with VerticalScroll(classes="dialog page"):
            yield Static(id="help-text")

    def on_mount(self) -> None:
        page = self.query_one(VerticalScroll)
        page.border_title = "help"
        page.border_subtitle = "↑↓ pgup pgdn · esc closes"
        page.focus()
        look = palette_of(self.app.theme, self.app.current_theme.dark)
        self.query_one("#help-text", Static).update(page_text(self._sections, look))

    def action_scroll(self, lines: int) -> None:
        """Scroll by lines."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)


def describe(screen: Screen[None]) -> list[Section]:
    """The screen's keys, then each pane's that has any, as they are bound now."""
    app = screen.app
    seen: set[str] = set()
    main = Section("Everywhere", "", tuple(_keys(app, screen, seen)))
    program = Section("Program", "", tuple(_keys(app, app, seen)))
    sections = [main, program]
    for widget in screen.walk_children(Widget):
        words = getattr(widget, "help", "") or getattr(type(widget), "HELP", "")
        if words:
            title = str(widget.border_title or widget.id or type(widget).__name__)
            sections.append(Section(title, words, tuple(_keys(app, widget, set()))))
    return sections


def _keys(
    app: App[object], node: Widget | Screen[None] | App[object], seen: set[str]
) -> Iterable[tuple[str, str]]:
    """Keys and descriptions of a node's bindings; keys of one action on one line."""
    bindings: BindingsMap = node._bindings
    if keymap := app._keymap:
        bindings = bindings.copy()
        bindings.apply_keymap(keymap)
    lines: dict[str, list[str]] = {}
    for _, binding in bindings:
        if binding.system or not binding.description:
            continue
        words = binding.tooltip or binding.description
        lines.setdefault(words, []).append(app.get_key_display(binding))
    for words, keys in lines.items():
        if words not in seen:
            seen.add(words)
            yield " ".join(dict.fromkeys(keys)), words


def page_text(sections: list[Section], look: Palette) -> Text:
    """The whole page."""
    out = Text()
    for section in sections:
        out.append(f"{section.title}\n", f"bold {look.accent}")
        if section.words:
            out.append(f"{section.words}\n", look.text)
        for keys, words in section.keys:
            out.append(f"  {keys:<14}", f"bold {look.formula}")
            out.append(f"{words}\n", look.text)
        out.append("\n")
    out.append("Verdicts\n", f"bold {look.accent}")
    for glyph, verdict, words in GLYPHS:
        out.append(f"  {glyph:<14}", look.verdict(verdict))
        out.append(f"{words}\n", look.text)
    out.append("\nMarks\n", f"bold {look.accent}")
    for glyph, words in MARKS:
        out.append(f"  {glyph:<14}", look.formula)
        out.append(f"{words}\n", look.text)
    return out
