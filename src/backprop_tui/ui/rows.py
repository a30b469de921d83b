"""What stands in the value panes, line by line: which tensor, at which height.

Pure layout: the manual and the autograd pane are laid out together, so that
twins stand at the same height. Of a large tape few rows are ever in sight: each is made then.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from itertools import accumulate, chain
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from .once import once
from .render import is_small, matrix_size

if TYPE_CHECKING:
    from torch import Tensor

    from ..compare import Verdict
    from ..steps import Given, Step, Trace


class Row(NamedTuple):
    """One tensor (or, without a value, a heading or a gap) as a pane places it."""

    at: int
    """The step that computes it; -1 for what is given."""
    key: str = ""
    name: str = ""
    label: str = ""
    detail: str = ""
    value: Tensor | None = None
    twin: str = ""
    verdict: Verdict | None = None
    height: int = 0
    """Lines under its heading: the numbers of a small tensor, one line about a large one."""


class Part(NamedTuple):
    """Rows of one kind, in the order of their steps: what each `make`s of, and what is seen of it.

    `kind` is that of their keys, "" where they have none.
    """

    kind: str
    make: Callable[[Any], Row]
    things: Sequence[Any]
    labels: Sequence[str]
    heights: Sequence[int]


class Rows:
    """All rows of a pane.

    Attributes:
        heights: of each row.
        longest: cells of the longest label.
    """

    def __init__(self, parts: Sequence[Part] = ()) -> None:
        self._parts = parts
        self._starts = [0, *accumulate(len(part.things) for part in parts)]
        self._made: dict[int, Row] = {}
        given = ((s, p) for s, p in zip(self._starts, parts, strict=False) if p.kind == "given")
        self._given = {
            f"given:{item.name}": number
            for start, part in given
            for number, item in enumerate(part.things, start)
        }
        self.heights = list(chain.from_iterable(part.heights for part in parts))
        self.longest = max(map(len, chain.from_iterable(part.labels for part in parts)), default=0)

    def __len__(self) -> int:
        return self._starts[-1]

    def __iter__(self) -> Iterator[Row]:
        return map(self.__getitem__, range(len(self)))

    def __getitem__(self, number: int) -> Row:
        if number not in self._made:
            at = bisect_right(self._starts, number) - 1
            part = self._parts[at]
            self._made[number] = part.make(part.things[number - self._starts[at]])
        return self._made[number]

    def number(self, key: str) -> int | None:
        """Where the row of a key is, if it is here."""
        kind, _, step = key.partition(":")
        for part, start in zip(self._parts, self._starts, strict=False):
            if kind == part.kind != "given" and key:
                number = bisect_left(part.things, int(step), key=attrgetter("index"))
                if number < len(part.things) and self[start + number].key == key:
                    return start + number
        return self._given.get(key)


class Layout:
    """Rows under one another, each a heading and `bodies` lines under it; found by line."""

    def __init__(self, rows: Rows, bodies: Sequence[int]) -> None:
        self.rows, self.bodies = rows, bodies
        self.tops = [0, *accumulate(body + 1 for body in bodies)]

    @property
    def height(self) -> int:
        return self.tops[-1]

    def at(self, line: int) -> int:
        """The number of the row that a line belongs to."""
        return bisect_right(self.tops, line) - 1


@once
def forward_rows(trace: Trace) -> Rows:
    """The inputs, the parameters and every value up to the loss."""
    parts = [_given(g for g in trace.given if g.phase == "forward"), _manual(trace, "forward", "=")]
    if (loss := _manual(trace, "loss", "=")).things:
        parts += [
            _heading(Row(loss.things[0].index, label="loss")),
            _given(g for g in trace.given if g.phase != "forward"),
            loss,
        ]
    return Rows(parts)


HEADINGS = {
    "backward": ("by hand", "loss.backward()"),
    "update": ("by hand", "optimizer.step()"),
}


@once
def paired_rows(trace: Trace) -> tuple[Rows, Rows]:
    """The manual pane's rows and, one for one, what autograd has beside them."""
    manual, auto = [], []
    phases = dict.fromkeys(group.phase for group in trace.groups)  # in the order in which they ran
    for phase in phases:
        if phase not in HEADINGS or not (part := _manual(trace, phase, "↔")).things:
            continue
        by_hand, by_torch = HEADINGS[phase]
        first = part.things[0].index
        manual += [_heading(Row(first, label=f"{phase} {by_hand}")), part]
        auto += [_heading(Row(first, label=by_torch)), _auto(part.things)]
    return Rows(manual), Rows(auto)


def _heading(row: Row) -> Part:
    return Part("", lambda row: row, [row], [""], [0])


def _given(given: Iterable[Given]) -> Part:
    things = list(given)
    labels, heights = [g.label for g in things], [_height(g.value) for g in things]
    return Part("given", _given_row, things, labels, heights)


def _given_row(given: Given) -> Row:
    key, height = f"given:{given.name}", _height(given.value)
    return Row(-1, key, given.name, given.label, given.detail, given.value, height=height)


def _manual(trace: Trace, phase: str, sign: str) -> Part:
    things = [step for step in trace.steps if step.phase == phase]
    labels, heights = [s.label for s in things], [_height(s.value) for s in things]
    return Part("step", partial(_manual_row, sign), things, labels, heights)


def _manual_row(sign: str, step: Step) -> Row:
    twin = step.twin
    return Row(
        step.index,
        f"step:{step.index}",
        step.name,
        step.label,
        "",
        step.value,
        f"{sign} {twin.label}" if twin else "",
        twin.verdict if twin else None,
        _height(step.value),
    )


def _auto(steps: Sequence[Step]) -> Part:
    labels = [_auto_label(s)[0] for s in steps]
    heights = [_height(s.twin.value) if s.twin else 0 for s in steps]
    return Part("twin", _auto_row, steps, labels, heights)


def _auto_row(step: Step) -> Row:
    if step.twin is None:
        return Row(step.index)
    label, detail = _auto_label(step)
    key, height = f"twin:{step.index}", _height(step.twin.value)
    return Row(step.index, key, label, label, detail, step.twin.value, height=height)


def _auto_label(step: Step) -> tuple[str, str]:
    """What a twin is called, and its detail; what torch has no name for is called as the step."""
    twin = step.twin
    if twin is None:
        return "", ""
    return (
        (twin.label, twin.detail) if twin.label != "torch" else (step.label, f"torch {twin.detail}")
    )


def _height(value: Tensor) -> int:
    if not value.dim():
        return 0
    return matrix_size(value)[0] if is_small(value) else 1


def lay_out(rows: Rows, folded: Collection[str]) -> Layout:
    """One pane's layout."""
    bodies = list(rows.heights)
    for key in folded:
        if (number := rows.number(key)) is not None:
            bodies[number] = 0
    return Layout(rows, bodies)


def lay_out_pair(manual: Rows, auto: Rows, folded: Collection[str]) -> tuple[Layout, Layout]:
    """Two panes' layouts, every pair of rows as high as the higher of the two.

    Where the manual one is folded so is the other; folded alone, autograd's leaves the manual one.
    """
    bodies = list(map(max, manual.heights, auto.heights))
    for key in sorted(folded, reverse=True):  # "twin:7" before "step:7"
        if (number := auto.number(key)) is not None:
            bodies[number] = manual.heights[number]
        elif (number := manual.number(key)) is not None:
            bodies[number] = 0
    return Layout(manual, bodies), Layout(auto, bodies)
