"""Places in a program: a line, a module, an op."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath

_PLACE = re.compile(r"[^\s:]+:\d+|[\w.]+")


@dataclass(frozen=True)
class Spot:
    """A place as one writes it: ``train.py:42``, a module's path, or the name of an op."""

    text: str

    @classmethod
    def may_be(cls, text: str) -> bool:
        """Whether a text has the form of a place. Names of values have it too."""
        return _PLACE.fullmatch(text) is not None

    @property
    def is_line(self) -> bool:
        """Whether it is a line of a file."""
        return ":" in self.text

    def holds(self, op: str, module: str, file: str, line: int) -> bool:
        """Whether an op of this name, in this module, called from this line, stands there."""
        if not self.is_line:
            return self.text == op or (bool(module) and self.text == module)
        given, _, number = self.text.rpartition(":")
        parts = PurePath(given).parts
        return line == int(number) and PurePath(file).parts[-len(parts) :] == parts
