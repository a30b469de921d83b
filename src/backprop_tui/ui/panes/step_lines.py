"""How a line of the steps looks: where we are, what is computed, folded or marked, verdicts."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

from rich.text import Text

from ..standing import worst
from ..tree import Node, Sight, has_heading
from .lines import LinePane

if TYPE_CHECKING:
    from ...compare import Verdict
    from ...steps import Trace


class StepLines(LinePane):
    """The lines of a trace that are in sight.

    Attributes:
        folded: the keys of the headings that hide what is under them.
        breakpoints: the ops that are marked.
        sought: what only is shown, "" for all.
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.trace: Trace | None = None
        self.folded: set[str] = set()
        self.breakpoints: frozenset[int] = frozenset()
        self.sought = ""
        self._sight: Sight | None = None
        self._at = 0  # the step where we are, and its line
        self._line = 0
        self._selected = 0

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
