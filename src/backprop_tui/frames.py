"""Where in the user's program something happens: the frames that are neither torch's nor ours."""

from __future__ import annotations

import functools
import os
import sys
import sysconfig
import types
from collections.abc import Iterator

import torch

from .tape import Source

_TORCH = os.path.dirname(torch.__file__) + os.sep
_OURS = os.path.dirname(__file__) + os.sep
_LESSONS = os.path.join(_OURS, "lessons") + os.sep
_PROGRAM = os.path.join(_OURS, "program.py")
"""What runs the user's program: no frame from there on is of it."""
_INSTALLED = tuple(
    sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")
)


def source() -> Source | None:
    """The innermost of the user's frames; where an installed package is at work, its own.

    The latter has the user's as its caller.
    """
    installed: types.FrameType | None = None
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None:  # not by `users_frames`, since this is asked at every op
        file = frame.f_code.co_filename
        if is_users(file):
            if not is_installed(file):
                return _place(frame) if installed is None else _place(installed, _place(frame))
            installed = installed or frame
        elif file == _PROGRAM:
            break
        frame = frame.f_back
    return None if installed is None else _place(installed)


def _place(frame: types.FrameType, caller: Source | None = None) -> Source:
    return Source(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name, caller)


def users_frames(frame: types.FrameType | None) -> Iterator[types.FrameType]:
    """Those of the frames from `frame` outwards that are the user's or of installed packages."""
    while frame is not None and frame.f_code.co_filename != _PROGRAM:
        if is_users(frame.f_code.co_filename):
            yield frame
        frame = frame.f_back


def raised_at(error: BaseException) -> Source | None:
    """The user's line that an exception came through last."""
    found: Source | None = None
    where = error.__traceback__
    while where is not None:
        code = where.tb_frame.f_code
        here = Source(code.co_filename, where.tb_lineno, code.co_name)
        if is_users(here.file) and (found is None or not is_installed(here.file)):
            found = here
        where = where.tb_next
    return found


@functools.lru_cache(maxsize=4096)
def is_users(file: str) -> bool:
    """Whether a file is neither torch's nor ours."""
    return not is_ours(file) and file[0] != "<" and not file.startswith(_TORCH)


def is_ours(file: str) -> bool:
    """Whether a file is the debugger's; a lesson's is the user's."""
    return file.startswith(_OURS) and not file.startswith(_LESSONS)


@functools.lru_cache(maxsize=4096)
def is_installed(file: str) -> bool:
    """Whether a file is of Python's library or of a package that was installed."""
    return file.startswith(_INSTALLED) or "site-packages" in file or "dist-packages" in file
