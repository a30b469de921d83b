"""The status line: what is debugged, where we are, and how it stands there."""

from __future__ import annotations

from dataclasses import dataclass

from rich.text import Text

from ..painted import TextLine
from ..theme import Palette


@dataclass(frozen=True)
class Status:
    """All that the line says, for what is computed at the cursor."""

    title: str
    iteration: int = 0
    iterations: int = 0
    phase: str = ""
    phase_step: int = 0
    phase_steps: int = 0
    step: int = 0
    steps: int = 0
    loss: str = ""
    verdicts: tuple[tuple[str, str, int], ...] = ()
    """Verdict, glyph, count; the worst last."""
    finding: str = ""
    check: str = ""
    """How far the check has come, while it is not at its end."""
    busy: str = ""
    """What is going on, in place of the rest."""
    done: float = 0.0
    """How much of it is done, 0 to 1; 0 where that is not known."""


class StatusLine(TextLine):
    """One line at the top."""

    DEFAULT_CSS = "StatusLine { dock: top; background: $raised; }"

    def __init__(self, status: Status, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._status = status

    def show(self, status: Status) -> None:
        """Show this from now on."""
        if status != self._status:
            self._status = status
            self.refresh()

    def render(self) -> Text:
        return status_text(self._status, self.size.width, self.palette)


def status_text(status: Status, width: int, look: Palette) -> Text:
    """As much of the status as fits into `width` cells, in long words where there is room."""
    for words in (2, 1, 0):
        text = _compose(status, look, words)
        if text.cell_len <= width:
            break
    text.truncate(width, overflow="ellipsis")
    return text


def _compose(status: Status, look: Palette, words: int) -> Text:
    gap = "   " if words == 2 else " "
    title = status.title if words else status.title.split(" ")[0]
    out = Text()
    out.append(f" {title} ", f"bold {look.on_accent} on {look.accent}")
    if status.busy:
        filled = round(status.done * 20)
        bar = "━" * filled + "╌" * (20 - filled) if status.done else ""
        out.append(f"{gap}{status.busy} ", look.text)
        return out.append(bar, look.accent)
    if not status.steps:
        return out
    iteration = "iteration" if words == 2 else "it"
    parts = [
        (f"{iteration} {status.iteration}/{status.iterations}", look.text),
        (f"{status.phase} {status.phase_step}/{status.phase_steps}", look.text),
        (f"{'step ' if words else ''}{status.step}/{status.steps}", look.text),
        (f"loss {status.loss}", f"bold {look.bright}"),
    ]
    for text, style in parts:
        out.append(gap + text, style)
    counts = ", ".join(
        f"{glyph} {n} {v}" if words else f"{glyph}{n}" for v, glyph, n in status.verdicts
    )
    if counts:
        out.append(gap + ("manual = autograd: " if words == 2 else ""), look.muted)
        out.append(counts, look.verdict(status.verdicts[-1][0]))
    if status.check:
        out.append(gap + status.check, look.warn)
    if status.check and not status.finding:
        return out
    finding = status.finding or ("no findings" if words == 2 else "")
    return out.append(
        f"{gap}{'! ' if status.finding else ''}{finding}",
        f"bold {look.bad}" if status.finding else look.dim,
    )
