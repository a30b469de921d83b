"""What stands in the value panes, line by line: which tensor, at which height.

Pure layout: the manual and the autograd pane are laid out together, so that
twins stand at the same height.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from .once import once
from .render import is_small, matrix_size

if TYPE_CHECKING:
    from torch import Tensor

    from ..compare import Comparison
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
    comparison: Comparison | None = None
    height: int = 0
    """Lines under its heading: the numbers of a small tensor, one line about a large one."""


class Block(NamedTuple):
    """A row and the lines it takes: its heading and `body` lines under it."""

    row: Row
    body: int

    @property
    def height(self) -> int:
        return 1 + self.body


class Layout:
    """Blocks under one another, found by line or by step."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        self.blocks = tuple(blocks)
        self.tops = [0, *accumulate(b.height for b in blocks)]
        self.by_key = {b.row.key: i for i, b in enumerate(blocks) if b.row.key}

    @property
    def height(self) -> int:
        return self.tops[-1]

    def block_at(self, line: int) -> int:
        """The number of the block that a line belongs to."""
        return bisect_right(self.tops, line) - 1


@once
def forward_rows(trace: Trace) -> list[Row]:
    """The inputs, the parameters and every value up to the loss."""
    rows = [_given(g) for g in trace.given if g.phase == "forward"]
    rows += [_manual(s, "=") for s in trace.steps if s.phase == "forward"]
    first_loss = next((s.index for s in trace.steps if s.phase == "loss"), -1)
    if first_loss >= 0:
        rows.append(Row(first_loss, label="loss"))
        rows += [_given(g) for g in trace.given if g.phase != "forward"]
        rows += [_manual(s, "=") for s in trace.steps if s.phase == "loss"]
    return rows


HEADINGS = {
    "backward": ("by hand", "loss.backward()"),
    "update": ("by hand", "optimizer.step()"),
}


@once
def paired_rows(trace: Trace) -> tuple[list[Row], list[Row]]:
    """The manual pane's rows and, one for one, what autograd has beside them."""
    manual, auto = [], []
    phases = dict.fromkeys(s.phase for s in trace.steps)  # in the order in which they ran
    for phase in phases:
        if phase not in HEADINGS:
            continue
        by_hand, by_torch = HEADINGS[phase]
        steps = [s for s in trace.steps if s.phase == phase]
        manual.append(Row(steps[0].index, label=f"{phase} {by_hand}"))
        auto.append(Row(steps[0].index, label=by_torch))
        manual += [_manual(s, "↔") for s in steps]
        auto += [_auto(s) for s in steps]
    return manual, auto


def _given(given: Given) -> Row:
    key, height = f"given:{given.name}", _height(given.value)
    return Row(-1, key, given.name, given.label, given.detail, given.value, height=height)


def _manual(step: Step, sign: str) -> Row:
    twin = step.twin
    return Row(
        step.index,
        f"step:{step.index}",
        step.name,
        step.label,
        "",
        step.value,
        f"{sign} {twin.label}" if twin else "",
        twin.comparison if twin else None,
        _height(step.value),
    )


def _auto(step: Step) -> Row:
    if step.twin is None:
        return Row(step.index)
    twin = step.twin
    named = twin.label != "torch"
    label, detail = (twin.label, twin.detail) if named else (step.label, f"torch {twin.detail}")
    key, height = f"twin:{step.index}", _height(twin.value)
    return Row(step.index, key, label, label, detail, twin.value, height=height)


def _height(value: Tensor) -> int:
    if not value.dim():
        return 0
    return matrix_size(value)[0] if is_small(value) else 1


def lay_out(rows: Sequence[Row], folded: Collection[str]) -> Layout:
    """One pane's layout."""
    return Layout([Block(row, 0 if row.key in folded else row.height) for row in rows])


def lay_out_pair(
    manual: Sequence[Row], auto: Sequence[Row], folded: Collection[str]
) -> tuple[Layout, Layout]:
    """Two panes' layouts, every pair of rows as high as the higher of the two."""
    heights = [
        0 if a.key in folded else max(a.height, 0 if b.key in folded else b.height)
        for a, b in zip(manual, auto, strict=True)
    ]
    return (
        Layout([Block(r, h) for r, h in zip(manual, heights, strict=True)]),
        Layout([Block(r, h) for r, h in zip(auto, heights, strict=True)]),
    )
