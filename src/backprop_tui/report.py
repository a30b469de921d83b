"""Traces as tables and as the JSON of ``check --json``."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from .compare import Comparison, Verdict
from .compare import worst as worst_of
from .formula import shape_text
from .steps import Group, Trace

VERSION = 1
"""Of the JSON's shape; it grows when a field changes its meaning or goes."""

_AGREED = (Verdict.EXACT, Verdict.ROUNDING)
_COLOURS = {"exact": "green", "rounding": "cyan", "amber": "yellow", "different": "red"}


def exit_code(verdict: Verdict) -> int:
    """0 when every comparison is exact or rounding, else 1."""
    return 0 if verdict in _AGREED else 1


def to_dict(steps: Sequence[dict[str, Any]], verdict: Verdict) -> dict[str, Any]:
    """The stable JSON of ``check --json``, from what `step_dict` made of each step.

    ``{"version", "steps": [{"loss", "parameters": [{"name", "shape", "verdict", "rho",
    "max_abs", "max_rel"}], "ops": [{"op", "module", "rule", "isolated", "chained"}]}],
    "verdict"}``
    """
    return {"version": VERSION, "steps": list(steps), "verdict": str(verdict)}


def step_dict(trace: Trace) -> dict[str, Any]:
    """One training step for the JSON; numbers that JSON cannot hold are null."""
    parameters = [
        {
            "name": item.name,
            "shape": list(item.value.shape),
            "verdict": str(item.comparison.verdict),
            "rho": _number(item.comparison.rho),
            "max_abs": _number(item.comparison.max_abs),
            "max_rel": _number(item.comparison.max_rel),
        }
        for item in trace.gradients
    ]
    ops = [
        {
            "op": group.op,
            "module": group.layer,
            "rule": group.rule,
            "isolated": _verdict(group.isolated),
            "chained": str(worst_of(_comparisons(trace, group))),
        }
        for group in _backward_groups(trace)
    ]
    return {"loss": _number(trace.loss), "parameters": parameters, "ops": ops}


def _backward_groups(trace: Trace) -> Iterable[Group]:
    """The ops that carry gradient, in the order in which the forward pass ran them."""
    visited = [group for group in trace.groups if group.phase == "backward" and group.steps]
    return [group for group in reversed(visited) if group.op != "seed"]


def _comparisons(trace: Trace, group: Group) -> Iterable[Comparison | None]:
    for index in group.steps:
        twin = trace.steps[index].twin
        yield twin.comparison if twin else None


def _verdict(comparison: Comparison | None) -> str:
    return str(comparison.verdict if comparison else Verdict.UNCHECKED)


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def table(trace: Trace) -> Table:
    """Manual against autograd, a row for each parameter."""
    grid = Table(
        title=f"{trace.title} · iteration {trace.iteration} · loss {trace.loss:.6g}",
        title_justify="left",
    )
    for heading in ("", "parameter", "shape", "verdict"):
        grid.add_column(heading, no_wrap=heading != "shape")
    for heading in ("ρ", "max abs", "max rel"):
        grid.add_column(heading, justify="right")
    for item in trace.gradients:
        found = item.comparison
        cells = [f"{figure:.2g}" for figure in (found.rho, found.max_abs, found.max_rel)]
        shape = shape_text(item.value)
        grid.add_row(Text(item.label), Text(item.name), shape, badge(found), *cells)
    return grid


def badge(found: Comparison) -> Text:
    """``✓ exact``, and how many elements are not finite."""
    text = f"{found.verdict.glyph} {found.verdict}"
    if found.nonfinite:
        text += f" ({found.nonfinite} not finite)"
    return Text(text, style=_COLOURS.get(found.verdict, ""))


def summary(verdict: Verdict, count: int, warning: str = "") -> Text:
    """How many steps were checked, their worst verdict, and why it was to be expected."""
    steps = f"{count} training step" + ("s" if count > 1 else "")
    said = "agree" if verdict in _AGREED else "differ"
    line = f"{verdict.glyph} {verdict}: manual and autograd {said} in {steps}"
    text = Text(line, _COLOURS.get(verdict, ""))
    if warning:
        text.append(f"\n{warning}", "default")
    return text
