"""Python's garbage collector while a tape grows."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_ALLOCATIONS = 50_000  # objects that are made before Python looks for garbage among them


@contextmanager
def seldom_collected() -> Iterator[None]:
    """A tape only grows, and to look for garbage in it again and again takes long.

    The program may turn the collector on and off, or set thresholds of its own: they stay.
    """
    before = gc.get_threshold()
    seldom = (max(_ALLOCATIONS, before[0]) if before[0] else 0, *before[1:])
    gc.set_threshold(*seldom)
    try:
        yield
    finally:
        if gc.get_threshold() == seldom:
            gc.set_threshold(*before)
