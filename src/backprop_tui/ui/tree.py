"""The steps of a trace under their headings: phases, modules, functions made of ops, ops.

A tree is a list of lines in the order in which they are shown, each of which knows where
what stands under it ends. So what is in sight is a list of line numbers in order, and
folding cuts a piece out of it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .once import once

if TYPE_CHECKING:
    from ..steps import Group, Trace


@dataclass(slots=True)
class Node:
    """One line: a heading, or the step `first`.

    Attributes:
        key: what its fold is remembered by; an empty string for a step.
        title: of a heading.
        depth: 0 for a phase.
        group: the op that it is or belongs to, -1 for a heading over several.
        parent: the line of the heading above it, -1 for a phase.
        first, last: the steps under it, or the step that it is.
        end: the line after the last that stands under it.
    """

    key: str
    title: str
    depth: int
    group: int
    parent: int
    first: int
    last: int
    end: int


class Tree:
    """All lines of a trace."""

    def __init__(self, trace: Trace) -> None:
        self.nodes: list[Node] = []
        self.of_step: list[int] = []
        self._open: list[int] = []  # the headings that the next line stands under
        self._keys: Counter[str] = Counter()
        for group in trace.groups:
            if group.steps:
                self._add(group)
        self._close(0)
        self.deep = any(group.headings for group in trace.groups)  # headings under headings

    def _add(self, group: Group) -> None:
        headings = [(group.phase, group.phase, -1)]
        headings += [(f"{group.phase}:{s.key}", s.title, -1) for s in group.headings]
        if has_heading(group):
            headings.append((f"{group.phase}:{group.index}", group.title, group.index))
        same = 0
        for line, (key, _, number) in zip(self._open, headings, strict=False):
            if number >= 0 or self.nodes[line].key.partition("#")[0] != key:
                break
            same += 1
        self._close(same)
        for key, title, number in headings[same:]:
            self._keys[key] += 1
            again = f"#{self._keys[key]}" if self._keys[key] > 1 else ""
            self._open.append(len(self.nodes))
            self._place(key + again, title, number, group.steps[0])
        for step in group.steps:
            self.of_step.append(len(self.nodes))
            self._place("", "", group.index, step)

    def _place(self, key: str, title: str, group: int, step: int) -> None:
        depth = len(self._open) - bool(key)
        parent = self._open[depth - 1] if depth else -1
        end = len(self.nodes) + 1
        self.nodes.append(Node(key, title, depth, group, parent, step, step, end))

    def _close(self, keep: int) -> None:
        for line in self._open[keep:]:
            self.nodes[line].end = len(self.nodes)
            self.nodes[line].last = len(self.of_step) - 1
        del self._open[keep:]

    def unfolded(self, folded: Collection[str], heading: int = -1) -> list[int]:
        """The lines that no fold hides: all of them, or those under one heading."""
        seen, line = [], heading + 1
        end = self.nodes[heading].end if heading >= 0 else len(self.nodes)
        while line < end:
            seen.append(line)
            node = self.nodes[line]
            line = node.end if node.key and node.key in folded else line + 1
        return seen

    def under_headings(self, steps: Iterable[int]) -> list[int]:
        """The lines of these steps, with every heading that they stand under."""
        lines = [self.of_step[step] for step in steps]
        above = {self.nodes[line].parent for line in lines}
        headings = set(above)
        while above := {self.nodes[line].parent for line in above if line >= 0} - headings:
            headings |= above
        return sorted(lines + [line for line in headings if line >= 0])

    def headings(self) -> Iterator[Node]:
        """Every heading below the phases."""
        return (node for node in self.nodes if node.key and node.depth)


tree = once(Tree)


def has_heading(group: Group) -> bool:
    """Whether an op has a heading of its own: one that stands for its module."""
    return bool(group.layer) and not group.headings and group.phase in ("forward", "backward")


class Sight:
    """The lines of a tree that are in sight."""

    def __init__(self, tree: Tree, lines: list[int]) -> None:
        self.tree, self.lines = tree, lines

    def __len__(self) -> int:
        return len(self.lines)

    def node(self, position: int) -> Node:
        return self.tree.nodes[self.lines[position]]

    def of_step(self, step: int) -> int:
        """Where a step is, or the heading that it is folded under, or else what comes before."""
        return self.of_line(self.tree.of_step[step])

    def of_line(self, line: int) -> int:
        return max(0, bisect_right(self.lines, line) - 1)

    def fold(self, position: int, folded: Collection[str]) -> None:
        """Take account of `folded` below the heading at `position`."""
        line, node = self.lines[position], self.node(position)
        inside = slice(position + 1, bisect_left(self.lines, node.end))
        hidden = node.key in folded
        self.lines[inside] = [] if hidden else self.tree.unfolded(folded, line)
