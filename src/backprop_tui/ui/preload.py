"""Torch's large libraries, loaded by a thread beside all that happens before torch is needed.

Python's own import holds the interpreter's lock while the system's loader works; ctypes lets
go of it. Where the libraries are named or built otherwise, the import alone does it.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib.util
import threading
from pathlib import Path

LIBRARIES = (("libtorch_global_deps.so", 0x102), ("libtorch_cpu.so", 0x2))
"""With dlopen's flags: RTLD_GLOBAL | RTLD_NOW as torch itself does, and RTLD_NOW."""


@functools.cache
def preload() -> threading.Thread:
    """The thread that loads them, started by the first call; join it before importing torch."""
    thread = threading.Thread(target=_load)
    thread.start()
    return thread


def _load() -> None:
    found = importlib.util.find_spec("torch")
    if found is None or found.origin is None:
        return
    folder = Path(found.origin).parent / "lib"
    with contextlib.suppress(OSError, AttributeError):
        dlopen = ctypes.CDLL(None).dlopen
        dlopen.restype = ctypes.c_void_p
        dlopen.argtypes = [ctypes.c_char_p, ctypes.c_int]
        for name, flags in LIBRARIES:
            dlopen(str(folder / name).encode(), flags)
