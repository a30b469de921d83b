"""A diagnosed fault: what, where, why, and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from .tape import Op, Source


class Severity(StrEnum):
    """How sure and how bad: an error is wrong, a warning is likely to be, a note may be meant."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"

    @property
    def glyph(self) -> str:
        """One character, so that none is carried by colour alone."""
        return {"error": "✗", "warning": "!", "note": "·"}[self.value]

    @property
    def rank(self) -> int:
        """0 for the mildest."""
        return list(Severity)[::-1].index(self)


@dataclass(frozen=True)
class Finding:
    """What a diagnosis says of one fault.

    Attributes:
        kind: the entry of the catalogue, such as "missing-mask".
        message: what is wrong, with the evidence in numbers.
        why: how it comes about; `fix`: what to do, in a sentence.
        source: the line of the user's code that has to change, or the nearest to it.
        op: the name of the op at fault, "" for none; `index`: its place on the tape.
        step: the training step, from 1.
    """

    kind: str
    severity: Severity
    message: str
    why: str
    fix: str
    source: Source | None = None
    op: str = ""
    module: str = ""
    index: int | None = None
    step: int = 1

    @classmethod
    def at(cls, op: Op, kind: str, severity: Severity, message: str, why: str, fix: str) -> Finding:
        """A finding about one op of the tape."""
        place = (op.source, op.name, op.module, op.index)
        return cls(kind, severity, message, why, fix, *place)

    @property
    def place(self) -> str:
        """``train.py:12``, as one would call it from here; without a line the module, or ""."""
        if self.source is None:
            return self.module
        file, here = Path(self.source.file), Path.cwd()
        shown = file.relative_to(here) if file.is_relative_to(here) else file
        return f"{shown}:{self.source.line}"

    def __str__(self) -> str:
        """Where and what, why, and the fix: a paragraph each."""
        head = ": ".join(filter(None, [self.place, self.message]))
        return f"{head}\n\nwhy: {self.why}\n\nfix: {self.fix}"

    def to_dict(self) -> dict[str, object]:
        """What `check --json` says of it."""
        return {
            "kind": self.kind,
            "severity": self.severity.value,
            "file": self.source.file if self.source else None,
            "line": self.source.line if self.source else None,
            "op": self.op,
            "module": self.module,
            "step": self.step,
            "message": self.message,
            "why": self.why,
            "fix": self.fix,
        }
