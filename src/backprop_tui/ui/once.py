"""What is worked out once for each trace, and kept for as long as the trace is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from ..steps import Trace

T = TypeVar("T")


def once(make: Callable[[Trace], T]) -> Callable[[Trace], T]:
    """`make`, called once for each trace. A worker that asks ahead spares the screen the wait.

    Whoever asks meanwhile waits for what is left of it, which is less than to begin anew.
    What it makes must not hold the trace itself, or neither would ever go.
    """
    kept: WeakKeyDictionary[Trace, T] = WeakKeyDictionary()
    making = threading.RLock()

    def of(trace: Trace) -> T:
        if trace not in kept:
            with making:
                if trace not in kept:
                    kept[trace] = make(trace)
        return kept[trace]

    return of
