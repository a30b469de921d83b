"""How a finding speaks of lines, parameters and numbers."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ..tape import Op, Source, Tape

_NAMED = 3


def line_of(source: Source | None) -> str:
    """``train.py:12``."""
    return f"{os.path.basename(source.file)}:{source.line}" if source else "an unknown line"


def spoken(op: Op) -> str:
    """An op's name; ``.data`` for ``torch.Tensor.data.__get__``, ``x[…] = y`` for __setitem__."""
    if op.name.endswith(".__get__"):
        return f".{op.name.split('.')[-2]}"
    return {"__setitem__": "x[…] = y", "__getitem__": "x[…]"}.get(op.name, op.name)


def parameters(tape: Tape, values: Sequence[int]) -> str:
    """``fc1.weight and fc1.bias (80 numbers)``."""
    held = [tape.values[value] for value in values]
    count = sum(value.tensor.numel() for value in held)
    return f"{listed([value.called for value in held])} ({count:,} numbers)"


def listed(names: Sequence[str]) -> str:
    """``fc1.weight, fc1.bias and 4 more``."""
    known = [name for name in names if name]
    shown = known[:_NAMED]
    more = len(names) - len(shown)
    if not shown:
        return f"{more} tensor{'s' if more > 1 else ''} without a name"
    if more:
        return f"{', '.join(shown)} and {more} more"
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))
