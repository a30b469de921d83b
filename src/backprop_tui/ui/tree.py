"""The steps of a trace under their headings: phases, modules, functions made of ops, ops.

A tree is made of lines in the order in which they are shown, each of which knows where what
stands under it ends. So what is in sight is a list of line numbers in order, and folding cuts a
piece out of it. Only headings are kept: which step a line is follows from how many come before it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .once import once

if TYPE_CHECKING:
    from ..steps import Group, Trace


@dataclass(slots=True)
class Node:
    """One line: a heading, or the step `first`.

    Attributes:
        line: its number.
        key: what its fold is remembered by; an empty string for a step.
        title: of a heading.
        depth: 0 for a phase.
        group: the op that it is or belongs to, -1 for a heading over several.
        parent: the line of the heading above it, -1 for a phase.
        first, last: the steps under it, or the step that it is.
        end: the line after the last that stands under it.
    """

    line: int
    key: str
    title: str
    depth: int
    group: int
    parent: int
    first: int
    last: int
    end: int


class Tree:
    """All lines of a trace.

    Attributes:
        headings: every heading, in order.
        deep: whether there are headings under headings.
    """

    def __init__(self, trace: Trace) -> None:
        self.headings: list[Node] = []
        self._lines: list[int] = []  # where each heading is
        self._firsts: list[int] = []  # the first step under each
        self._steps = trace.steps
        self._open: list[tuple[str, Node]] = []  # what the next step stands under
        self._keys: dict[str, int] = defaultdict(int)
        self.deep = False
        before: tuple[object, ...] = ()
        for group in trace.groups:
            own = has_heading(group)
            place = group.phase, group.headings, own
            if group.steps and (own or place != before):
                self._begin(group, own)
                before = place
                self.deep = self.deep or bool(group.headings)
        self._close(0, len(trace.steps))

    def _begin(self, group: Group, own: bool) -> None:
        """The headings that begin with an op; those that it does not stand under end."""
        phase, headings, first = group.phase, group.headings, group.steps[0]
        same = 0
        if self._open and self._open[0][0] == phase:
            same = 1
            for (key, _), heading in zip(self._open[1:], headings, strict=False):
                if key != heading.key:
                    break
                same += 1
        self._close(same, first)
        if not same:
            self._place(phase, phase, phase, first)
        for heading in headings[max(same - 1, 0) :]:
            self._place(heading.key, f"{phase}:{heading.key}", heading.title, first)
        if own:
            self._place("", f"{phase}:{group.index}", group.title, first, group.index)

    def _place(self, short: str, key: str, title: str, first: int, group: int = -1) -> None:
        """Open a heading over the steps from `first` on."""
        self._keys[key] += 1
        again = f"#{self._keys[key]}" if self._keys[key] > 1 else ""
        line, depth = first + len(self.headings), len(self._open)
        parent = self._open[-1][1].line if depth else -1
        node = Node(line, key + again, title, depth, group, parent, first, first, line + 1)
        self._open.append((short, node))
        self.headings.append(node)
        self._lines.append(line)
        self._firsts.append(first)

    def _close(self, keep: int, step: int) -> None:
        """Before a step, all but the outermost headings end."""
        for _, node in self._open[keep:]:
            node.last, node.end = step - 1, step + len(self.headings)
        del self._open[keep:]

    def __len__(self) -> int:
        return len(self.headings) + len(self._steps)

    def node(self, line: int) -> Node:
        """What stands in a line."""
        number = bisect_right(self._lines, line) - 1
        above = self.headings[number]
        if above.line == line:
            return above
        while above.end <= line:
            above = self.headings[bisect_left(self._lines, above.parent)]
        step = line - number - 1
        group = self._steps[step].group
        return Node(line, "", "", above.depth + 1, group, above.line, step, step, line + 1)

    def of_step(self, step: int) -> int:
        """The line of a step."""
        return step + bisect_right(self._firsts, step)

    def unfolded(self, folded: Collection[str], heading: int = -1) -> list[int]:
        """The lines that no fold hides: all of them, or those under one heading."""
        line, end = heading + 1, self.node(heading).end if heading >= 0 else len(self)
        seen: list[int] = []
        below = slice(bisect_left(self._lines, line), bisect_left(self._lines, end))
        for node in self.headings[below] if folded else ():
            if node.line >= line and node.key in folded:
                seen.extend(range(line, node.line + 1))
                line = node.end
        seen.extend(range(line, end))
        return seen

    def under_headings(self, steps: Sequence[int]) -> list[int]:
        """The lines of these steps, which are in order, and every heading above them."""
        lines = list(map(self.of_step, steps))
        for node in self.headings:
            number = bisect_left(steps, node.first)
            if number < len(steps) and steps[number] <= node.last:
                lines.append(node.line)
        lines.sort()
        return lines


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
        return self.tree.node(self.lines[position])

    def of_step(self, step: int) -> int:
        """Where a step is, or the heading that it is folded under, or else what comes before."""
        return self.of_line(self.tree.of_step(step))

    def of_line(self, line: int) -> int:
        return max(0, bisect_right(self.lines, line) - 1)

    def fold(self, position: int, folded: Collection[str]) -> None:
        """Take account of `folded` below the heading at `position`."""
        line, node = self.lines[position], self.node(position)
        inside = slice(position + 1, bisect_left(self.lines, node.end))
        hidden = node.key in folded
        self.lines[inside] = [] if hidden else self.tree.unfolded(folded, line)
