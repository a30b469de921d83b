"""The current line in one or two lines, for terminals without room for the source pane."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from .. import render
from ..painted import TextLines

if TYPE_CHECKING:
    from ...steps import Step


class NowLine(TextLines):
    """Formula, shapes, what it came to, and the lesson's sentence."""

    DEFAULT_CSS = "NowLine { height: 4; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._step: Step | None = None

    def show(self, step: Step) -> None:
        """Show this step."""
        self._step = step
        self.forget()

    def render(self) -> Text:
        step, look, out = self._step, self.palette, Text()
        if step is None:
            return out
        out.append(step.formula, f"bold {look.accent}")
        out.append(f"   {step.algebra}", look.formula)
        if step.twin is not None:
            out.append(f"\n↔ {step.twin.label} ", look.muted)
            out.append_text(render.badge(step.twin.verdict, look))
        if step.note:
            out.append(f"\n{step.note}", look.text)
        return out
