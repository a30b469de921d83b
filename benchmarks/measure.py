"""Figures, their targets, and the table that holds both."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One measured figure.

    Attributes:
        what: what was measured, in words.
        figure: the result with its unit, as text.
        target: what it may be at most, as text; empty where there is no target.
        met: whether the figure keeps its target; None where there is none.
    """

    what: str
    figure: str
    target: str = ""
    met: bool | None = None


def milliseconds(what: str, seconds: float, most: float | None = None) -> Row:
    """A row for a time in seconds, shown in ms, with an upper bound in ms."""
    value = 1000 * seconds
    digits = 0 if value >= 100 else 1
    figure = f"{value:.{digits}f} ms"
    if most is None:
        return Row(what, figure)
    return Row(what, figure, f"≤ {most:g} ms", value <= most)


def ratio(what: str, value: float, most: float | None = None) -> Row:
    """A row for a quotient of two times, with an upper bound."""
    if most is None:
        return Row(what, f"{value:.2f}×")
    return Row(what, f"{value:.2f}×", f"≤ {most:g}×", value <= most)


def median(seconds: Sequence[float]) -> float:
    """The middle one; the mean would report the machine's hiccups."""
    return statistics.median(seconds)


def p95(seconds: Sequence[float]) -> float:
    """The time that 19 of 20 stay under."""
    return statistics.quantiles(seconds, n=20, method="inclusive")[-1]


def table(rows: Iterable[Row]) -> str:
    """The rows as a Markdown table."""
    marks = {True: "✓", False: "✗", None: ""}
    lines = ["| what | measured | target | |", "| --- | ---: | ---: | --- |"]
    lines += [f"| {r.what} | {r.figure} | {r.target} | {marks[r.met]} |" for r in rows]
    return "\n".join(lines)


def machine() -> str:
    """Processor, cores and versions, and nothing that names this one machine."""
    packages = ("torch", "textual")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return (
        f"{processor()}, {os.cpu_count()} cores, {platform.system()}, "
        f"Python {platform.python_version()}, {versions}"
    )


def processor() -> str:
    """The processor's model where the system tells it, else its architecture."""
    description = Path("/proc/cpuinfo")
    if description.exists():
        for line in description.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
