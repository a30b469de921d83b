"""The steps pane: every line of the training step under its headings, foldable and searchable."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Set
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from ..find import find
from ..painted import retitle
from ..tree import Sight, tree
from .step_lines import StepLines

if TYPE_CHECKING:
    from ...steps import Trace

FOLDS = Binding.Group("folds")
NOTHING_FOUND = "Nothing is found: a step must have every one of the words. Esc shows all steps."


class StepsPane(StepLines):
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
        self._hits: list[int] = []

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
