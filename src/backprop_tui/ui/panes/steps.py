"""The steps pane: every line of the training step, by phase and op, foldable."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from .. import cursor
from ..render import badge
from .lines import LinePane

if TYPE_CHECKING:
    from ...compare import Comparison
    from ...steps import Group, Trace


@dataclass(frozen=True)
class Entry:
    """One line: a phase, an op's heading (`group`), or a step."""

    phase: str
    group: int = -1
    step: int = -1

    @property
    def key(self) -> str:
        """What its fold is remembered by; an empty string for a step."""
        if self.step >= 0:
            return ""
        return self.phase if self.group < 0 else f"{self.phase}:{self.group}"


class StepsPane(LinePane):
    """The tree of steps, with where we are."""

    BORDER_TITLE = "1 steps"
    HELP = (
        "Every line of one training step in the order it runs. ▶ is where you are; what is dim "
        "is not computed yet. A click or enter on a step goes there, on a heading folds it."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "go there / fold", show=False, id="steps.choose"),
        Binding("left,h", "fold(True)", "fold", show=False, id="steps.fold"),
        Binding("right,l", "fold(False)", "unfold", show=False, id="steps.unfold"),
        Binding("space", "flip", "fold or unfold", show=False, id="steps.toggle"),
    ]

    class Chosen(Message):
        """A step was clicked or entered."""

        def __init__(self, step: int) -> None:
            super().__init__()
            self.step = step

    class Folded(Message):
        """The set of folded headings changed."""

        def __init__(self, folded: Collection[str]) -> None:
            super().__init__()
            self.folded = folded

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.trace: Trace | None = None
        self.folded: set[str] = set()
        self.breakpoints: frozenset[int] = frozenset()
        self._entries: list[Entry] = []
        self._lines: dict[int, int] = {}
        self._headings: dict[str, int] = {}
        self._at = 0
        self._line = 0
        self._selected = 0

    # Set by the parent.

    def show(self, trace: Trace, at: int) -> None:
        """Show a trace, at a step of it."""
        fresh = trace is not self.trace
        self.trace, self._at = trace, at
        if fresh:
            self._rebuild()
        self._line = self._selected = self._line_of(at)
        self.reveal(self._line, self._line, margin=2)
        self.repaint()

    def on_resize(self) -> None:
        super().on_resize()
        if self._entries:
            self.reveal(self._line, self._line, margin=2)

    def mark(self, breakpoints: Collection[int]) -> None:
        """Mark the ops that have a breakpoint."""
        self.breakpoints = frozenset(breakpoints)
        self.repaint()

    def _rebuild(self) -> None:
        self._entries = entries(self.trace, self.folded) if self.trace else []
        self._lines = {e.step: line for line, e in enumerate(self._entries) if e.step >= 0}
        self._headings = {e.key: line for line, e in enumerate(self._entries) if e.key}
        self._line = self._line_of(self._at)
        self._selected = min(self._selected, max(0, len(self._entries) - 1))
        self.forget()

    def _line_of(self, step: int) -> int:
        """The line of a step, or of the heading it is folded under."""
        assert self.trace is not None
        if step in self._lines:
            return self._lines[step]
        chosen = self.trace.steps[step]
        phase = self._headings[chosen.phase]
        return self._headings.get(Entry(chosen.phase, chosen.group).key, phase)

    # Lines.

    def line_count(self) -> int:
        return len(self._entries)

    def line_key(self, line: int) -> Hashable:
        entry = self._entries[line]
        selected = line == self._selected and self.has_focus
        marked = entry.group in self.breakpoints
        return (
            entry,
            line == self._line,
            selected,
            self._done(entry),
            marked,
            self._is_folded(entry),
        )

    def _is_folded(self, entry: Entry) -> bool:
        return bool(entry.key) and entry.key in self.folded

    def _done(self, entry: Entry) -> int:
        """0 ahead, 1 begun, 2 computed."""
        assert self.trace is not None
        if entry.step >= 0:
            return 2 if entry.step <= self._at else 0
        if entry.group >= 0:
            steps = self.trace.groups[entry.group].steps
            return 2 if steps[-1] <= self._at else int(steps[0] <= self._at)
        phase = cursor.PHASES.index(self.trace.steps[self._at].phase)
        return 2 if cursor.PHASES.index(entry.phase) <= phase else 0

    def line_text(self, line: int, width: int) -> Text:
        assert self.trace is not None
        entry, look = self._entries[line], self.palette
        done, here = self._done(entry), line == self._line
        out = Text()
        if entry.step >= 0:
            dot = entry.group in self.breakpoints and self._is_first(entry)
            out.append("●" if dot else " ", look.bad)
            out.append(" ▶ " if here else "   ")
            out.append(self.trace.steps[entry.step].formula, look.text if done else look.dim)
        elif entry.group >= 0:
            self._heading(out, entry, here, done, width)
        else:
            out.append(("▸ " if self._is_folded(entry) else "") + entry.phase, look.muted)
        if here:
            out.truncate(width, overflow="ellipsis", pad=True)
            out.pad_right(width - out.cell_len)
            out.stylize(f"bold {look.on_accent} on {look.accent}")
        elif line == self._selected and self.has_focus:
            out.pad_right(max(0, width - out.cell_len))
            out.stylize(f"underline on {look.raised}")
        return out

    def _heading(self, out: Text, entry: Entry, here: bool, done: int, width: int) -> None:
        assert self.trace is not None
        look, group = self.palette, self.trace.groups[entry.group]
        out.append("●" if entry.group in self.breakpoints else " ", look.bad)
        out.append("▶ " if here else "▸ " if self._is_folded(entry) else "▾ ", look.muted)
        out.append(group.title, f"bold {look.text}" if done else look.muted)
        if done == 2 and (worst := worst_of(self.trace, group)) is not None:
            out.truncate(width - 3, overflow="ellipsis")
            out.pad_right(width - 2 - out.cell_len)
            out.append_text(badge(worst, look, words=False))

    def _is_first(self, entry: Entry) -> bool:
        """Whether a step carries its op's breakpoint mark, the op having no heading."""
        assert self.trace is not None
        group = self.trace.groups[entry.group]
        return not has_heading(group) and group.steps[0] == entry.step

    # Handlers and actions.

    def on_focus(self) -> None:
        self.repaint()

    def on_blur(self) -> None:
        self.repaint()

    def on_click(self, event: events.Click) -> None:
        line = self.line_under(event)
        if line is not None:
            self._selected = line
            self.action_choose()

    def action_line_up(self) -> None:
        self._select(self._selected - 1)

    def action_line_down(self) -> None:
        self._select(self._selected + 1)

    def action_page_up(self) -> None:
        self._select(self._selected - max(1, self.size.height - 1))

    def action_page_down(self) -> None:
        self._select(self._selected + max(1, self.size.height - 1))

    def _select(self, line: int) -> None:
        self._selected = max(0, min(line, len(self._entries) - 1))
        self.reveal(self._selected, self._selected)
        self.repaint()

    def action_choose(self) -> None:
        if not self._entries:
            return
        entry = self._entries[self._selected]
        if entry.step >= 0:
            self.post_message(self.Chosen(entry.step))
        else:
            self.action_flip()

    def action_flip(self) -> None:
        if self._entries:
            self.action_fold(not self._is_folded(self._entries[self._selected]))

    def action_fold(self, fold: bool) -> None:
        """Fold or unfold the heading at the selection, or the one above a selected step."""
        if not self._entries:
            return
        line = self._selected
        while line and not self._entries[line].key:
            line -= 1
        key = self._entries[line].key
        if (key in self.folded) == fold:
            return
        self.folded ^= {key}
        self._selected = line
        self._rebuild()
        self._select(line)
        self.post_message(self.Folded(sorted(self.folded)))


def has_heading(group: Group) -> bool:
    """Whether an op gets a line of its own: it belongs to a module, or has several lines."""
    return bool(group.layer) and group.phase in ("forward", "backward")


def entries(trace: Trace, folded: Collection[str]) -> list[Entry]:
    """The lines of the tree, without what is folded away."""
    out: list[Entry] = []
    phase = ""
    for group in trace.groups:
        if not group.steps:
            continue
        if group.phase != phase:
            phase = group.phase
            out.append(Entry(phase))
        if phase in folded:
            continue
        heading = Entry(phase, group.index)
        if has_heading(group):
            out.append(heading)
            if heading.key in folded:
                continue
        out += [Entry(phase, group.index, step) for step in group.steps]
    return out


def worst_of(trace: Trace, group: Group) -> Comparison | None:
    """The worst verdict of an op: of its rule alone, and of its values with their twins."""
    found = [twin.comparison for s in group.steps if (twin := trace.steps[s].twin)]
    if group.isolated is not None:
        found.append(group.isolated)
    return max(found, key=lambda c: cursor.severity(c.verdict), default=None)
