"""The lesson without a screen: every step with its formula, shapes, values and verdict."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from itertools import groupby

from torch import Tensor

from . import elements
from .formula import shape_text
from .numbers import choose_format
from .report import badge
from .steps import Step, Trace

_RULE = "─" * 78
_SHOWN = 8  # rows and columns of a tensor that are printed
_DECIMALS = 4  # as the article prints them


def lines(trace: Trace) -> Iterator[str]:
    """The transcript of one training step, line by line."""
    yield f"{trace.title} · iteration {trace.iteration}"
    yield _RULE
    if trace.warning:
        yield from textwrap.wrap(trace.warning, 78)
        yield ""
    for item in trace.given:
        detail = f"   {item.detail}" if item.detail else ""
        yield f"given  {item.label}   {shape_text(item.value)}{detail}"
        yield from values(item.value)
    for phase, steps in groupby(trace.steps, key=lambda step: step.phase):
        yield ""
        yield f"── {phase} {_RULE[len(phase) + 4 :]}"
        heading = -1
        for step in steps:
            if step.group != heading:
                heading = step.group
                yield ""
                yield trace.groups[heading].title
            yield from _step(step)
    yield from _dimensions(trace)
    yield ""
    yield f"loss {trace.loss:.6g} · manual against autograd: {trace.worst()}"


def _dimensions(trace: Trace) -> Iterator[str]:
    if trace.dimensions:
        width = max(len(formula) for formula, _ in trace.dimensions)
        yield ""
        yield f"── dimensions {_RULE[14:]}"
        for formula, shapes in trace.dimensions:
            yield f"  {formula:<{width}}   {shapes}"


def _step(step: Step) -> Iterator[str]:
    yield f"  {step.formula:<34}  {step.algebra}"
    if step.line is not None:
        yield f"    {step.line.function} line {step.line.first}: {' '.join(step.line.text.split())}"
    if step.note:
        yield f"    # {step.note}"
    yield from values(step.value)
    if step.twin is not None:
        found = step.twin.comparison
        detail = f" ({step.twin.detail})" if step.twin.detail else ""
        gap = "" if found.max_abs == 0 else f", max difference {found.max_abs:.3g}"
        yield f"    {step.twin.label}{detail}: {badge(found.verdict, found.nonfinite).plain}{gap}"
        if found.max_abs != 0:
            yield from values(step.twin.value)


def values(tensor: Tensor, indent: str = "      ") -> list[str]:
    """A tensor's numbers in rows, long ones cut, and how many of them are NaN or infinite."""
    rows = tensor.reshape(-1, tensor.shape[-1] if tensor.dim() else 1)
    form = choose_format(rows[:_SHOWN, :_SHOWN], fewest=_DECIMALS)
    width = max(10, form.width + 2)
    shown = []
    for row in rows[:_SHOWN]:
        cells = [form.padded(item).rjust(width) for item in row[:_SHOWN].tolist()]
        cut = "  …" if row.numel() > _SHOWN else ""
        shown.append(indent + "".join(cells) + cut)
    if rows.shape[0] > _SHOWN:
        shown.append(f"{indent}… {rows.shape[0] - _SHOWN} more rows")
    if count := elements.nonfinite(tensor):
        shown.append(f"{indent}! {count} of {tensor.numel()} not finite")
    return shown
