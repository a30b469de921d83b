"""The steps pane: every line of the training step under its headings, foldable and searchable."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Hashable, Set
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from ..find import find
from ..painted import retitle
from ..standing import worst
from ..tree import Node, Sight, has_heading, tree
from .lines import LinePane

if TYPE_CHECKING:
    from ...compare import Verdict
    from ...steps import Trace

FOLDS = Binding.Group("folds")
NOTHING_FOUND = "Nothing is found: a step must have every one of the words. Esc shows all steps."


class StepsPane(LinePane):
    """The tree of steps, with where we are."""

    BORDER_TITLE = "1 steps"
    HELP = (
        "Every line of one training step in the order it runs. ▶ is where you are; what is dim "
        "is not computed yet. A click or enter on a step goes there, on a heading folds it; a "
        "heading's verdict is the worst below it."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "go there / fold", show=False, id="steps.choose"),
        Binding("left,h", "fold(True)", "fold", show=False, id="steps.fold"),
        Binding("right,l", "fold(False)", "unfold", show=False, id="steps.unfold"),
        Binding("space", "flip", "fold or unfold", show=False, id="steps.toggle"),
        Binding("minus", "fold_all(True)", "fold all", False, id="steps.fold-all", group=FOLDS),
        Binding(
            "plus,equals_sign",
            "fold_all(False)",
            "unfold all",
            show=False,
            id="steps.unfold-all",
            group=FOLDS,
        ),
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
        self.sought = ""
        self._hits: list[int] = []
        self._sight: Sight | None = None
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
        self._stand()
        self.repaint()

    def _stand(self) -> None:
        """Select where we are, and bring it into sight."""
        if self._sight is not None:
            self._line = self._selected = self._sight.of_step(self._at)
            self.reveal(self._line, self._line, margin=2)

    def on_resize(self) -> None:
        super().on_resize()
        self.reveal(self._line, self._line, margin=2)

    def mark(self, breakpoints: Set[int]) -> None:
        """Mark the ops that have a breakpoint."""
        if breakpoints != self.breakpoints:
            self.breakpoints = frozenset(breakpoints)
            self.repaint()

    def filter(self, query: str) -> int:
        """Show only what `query` finds (see `find.find`), all of it where that is empty.

        Returns:
            How many steps were found.
        """
        if query != self.sought:
            self.sought = query
            self._rebuild()
            self._stand()
            self.browse(0)
        return len(self._hits)

    def browse(self, direction: int) -> None:
        """Select the next or previous step that was found; at 0 the nearest, from the selected."""
        if not self._sight or not self._hits:
            return
        line, way = self._selected + direction, direction or 1
        while 0 <= line < len(self._sight) and self._node(line).key:
            line += way
        if 0 <= line < len(self._sight):
            self._select(line)

    def choose(self) -> None:
        """Go to the selected step."""
        if self._hits:
            self.action_choose()

    def hit(self, direction: int) -> int | None:
        """The next or previous step that was found, from where we are."""
        after = bisect_right(self._hits, self._at)
        number = after if direction > 0 else bisect_left(self._hits, self._at) - 1
        return self._hits[number] if 0 <= number < len(self._hits) else None

    def _rebuild(self) -> None:
        """See anew what is in sight."""
        if self.trace is None:
            return
        lines = tree(self.trace)
        self._hits = find(self.trace, self.sought) if self.sought else []
        found = lines.under_headings(self._hits) if self.sought else lines.unfolded(self.folded)
        self._sight = Sight(lines, found)
        self.help = NOTHING_FOUND if self.sought else self.HELP
        retitle(self, "1 steps", f"/{self.sought} · {len(self._hits)}" if self.sought else "")
        self.measure()
        self.repaint()

    # Lines.

    def line_count(self) -> int:
        return len(self._sight) if self._sight else 0

    def _node(self, line: int) -> Node:
        assert self._sight is not None
        return self._sight.node(line)

    def line_key(self, line: int) -> Hashable:
        node = self._node(line)
        return (
            node.title or self._formula(node),
            node.depth,
            self._is_here(line, node),
            self._is_selected(line),
            self._done(node),
            self._has_dot(node),
            self._is_folded(node),
            self._verdict(node),
        )

    def _is_here(self, line: int, node: Node) -> bool:
        return line == self._line and node.first <= self._at <= node.last

    def _is_selected(self, line: int) -> bool:
        return line == self._selected and (self.has_focus or bool(self.sought))

    def _is_folded(self, node: Node) -> bool:
        return node.key in self.folded and not self.sought

    def _formula(self, node: Node) -> str:
        assert self.trace is not None
        return self.trace.steps[node.first].formula

    def _done(self, node: Node) -> int:
        """0 ahead, 1 begun, 2 computed."""
        return 2 if node.last <= self._at else int(node.first <= self._at)

    def line_text(self, line: int, width: int) -> Text:
        node, look = self._node(line), self.palette
        here = self._is_here(line, node)
        out = Text()
        if node.depth:
            out.append("●" if self._has_dot(node) else " ", look.bad)
        if node.key:
            self._heading(out, node, here)
        else:
            self._step(out, node, here)
        if here:
            out.truncate(width, overflow="ellipsis", pad=True)
            out.pad_right(width - out.cell_len)
            out.stylize(f"bold {look.on_accent} on {look.accent}")
        else:
            self._judge(out, node, width)
            if self._is_selected(line):
                out.pad_right(max(0, width - out.cell_len))
                out.stylize(f"underline on {look.raised}")
        return out

    def _heading(self, out: Text, node: Node, here: bool) -> None:
        look, folded = self.palette, self._is_folded(node)
        if not node.depth:
            out.append(("▸ " if folded else "") + node.title, look.muted)
            return
        out.append(" " * (node.depth - 1))
        out.append("▶ " if here else "▸ " if folded else "▾ ", look.muted)
        out.append(node.title, f"bold {look.text}" if self._done(node) else look.muted)

    def _step(self, out: Text, node: Node, here: bool) -> None:
        out.append(" " * max(1, node.depth - 1))
        out.append("▶ " if here else "  ")
        out.append(self._formula(node), self.palette.text if self._done(node) else self.palette.dim)

    def _judge(self, out: Text, node: Node, width: int) -> None:
        """Put the verdict at the right edge."""
        if (verdict := self._verdict(node)) is not None:
            out.truncate(width - 3, overflow="ellipsis")
            out.pad_right(width - 2 - out.cell_len)
            out.append(verdict.glyph, self.palette.verdict(verdict.value))

    def _verdict(self, node: Node) -> Verdict | None:
        """The worst verdict of what stands below a heading, once it is there.

        A step has its own where its op has no heading.
        """
        assert self.trace is not None
        if self._done(node) < 2 or not node.depth or (not node.key and self._headed(node)):
            return None
        return worst(self.trace, node.first, node.last)

    def _headed(self, node: Node) -> bool:
        assert self.trace is not None
        return has_heading(self.trace.groups[node.group])

    def _has_dot(self, node: Node) -> bool:
        """Whether a line carries a breakpoint's mark: an op's heading, or else its first step."""
        assert self.trace is not None
        if node.group not in self.breakpoints:
            return False
        first = self.trace.groups[node.group].steps[0] == node.first
        return bool(node.key) or (first and not self._headed(node))

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
        self._selected = max(0, min(line, self.line_count() - 1))
        self.reveal(self._selected, self._selected)
        self.repaint()

    def action_choose(self) -> None:
        if not self._sight:
            return
        node = self._node(self._selected)
        if node.key:
            self.action_flip()
        else:
            self.post_message(self.Chosen(node.first))

    def action_flip(self) -> None:
        if self._sight:
            self.action_fold(self._node(self._selected).key not in self.folded)

    def action_fold(self, fold: bool) -> None:
        """Fold or unfold the heading at the selection, or the one above a selected step."""
        if not self._sight or self.sought:
            return
        line = self._selected
        if not self._node(line).key:
            line = self._sight.of_line(self._node(line).parent)
        key = self._node(line).key
        if (key in self.folded) != fold:
            self.folded ^= {key}
            self._sight.fold(line, self.folded)
            self._folded(line)

    def action_fold_all(self, fold: bool) -> None:
        """Fold or unfold every heading below the phases."""
        if self._sight and self.trace is not None and not self.sought:
            selected = self._sight.lines[self._selected]
            keys = {node.key for node in tree(self.trace).headings if node.depth}
            self.folded = self.folded | keys if fold else self.folded - keys
            self._rebuild()
            self._folded(self._sight.of_line(selected))

    def _folded(self, selected: int) -> None:
        assert self._sight is not None
        self._line = self._sight.of_step(self._at)
        self.measure()
        self._select(selected)
        self.post_message(self.Folded(sorted(self.folded)))
