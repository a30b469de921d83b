"""A sequence of recorded training steps, and travel between them."""
from __future__ import annotations
from collections.abc import Callable
from .steps import Trace

class Session:
    """What the screen debugs."""

    title: str                    # "two-layer ReLU net"
    iterations: int               # how many there are at most
    losses: dict[int, float]      # iteration -> loss, for those visited

    def trace(self, iteration: int) -> Trace:
        """The training step of this iteration (1-based); a few are cached. Exact however one gets there."""
        raise NotImplementedError

    def run_to(self, iteration: int, progress: Callable[[int], bool]) -> int:
        """Train up to `iteration`, calling progress(i) now and then; it answers False to stop. Returns where it stopped."""
        raise NotImplementedError
