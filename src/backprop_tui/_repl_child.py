"""What the child process of a REPL runs before its prompt. See `repl.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def load(path: str) -> dict[str, Any]:
    """The names to bind: torch, and those of the file, which is removed at once."""
    import torch

    file = Path(path)
    try:
        names: dict[str, Any] = torch.load(file, weights_only=True)
    finally:
        file.unlink()
    return {"torch": torch, **names}
