"""Warnings of the program's are attributed to its own lines, as if nobody watched.

What torch's C++ warns of names the Python frame that has called it. While a program is recorded
that is one of ours, and so are the registry in which Python notes what it has shown once for a
location, and the module that a filter may ask for.
"""

from __future__ import annotations

import re
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from .frames import is_ours
from .patches import patched
from .private import filtered

_OVERRIDES = torch.overrides.__file__
_ANY_OF_OURS = ("always", None, Warning, re.compile(rf"{re.escape(__package__)}\."), 0)


@contextmanager
def attributed() -> Iterator[None]:
    """Each warning that names a line of ours is given again in the frame that it is about.

    A filter of ours lets all of those through, so that the program's filters judge them there.
    """
    with filtered(_ANY_OF_OURS), patched((warnings, "_showwarnmsg", _show)):
        yield


def _show(show: Callable[[Any], None], message: Any) -> None:
    frame = _about(sys._getframe(1), message) if is_ours(message.filename) else None
    if frame is None:
        show(message)
        return
    names = frame.f_globals
    warnings.warn_explicit(
        message.message,
        message.category,
        frame.f_code.co_filename,
        frame.f_lineno,
        names.get("__name__"),
        names.setdefault("__warningregistry__", {}),
        names,
        message.source,
    )


def _about(frame: types.FrameType | None, message: Any) -> types.FrameType | None:
    """The nearest frame outside ours that a call went through, from the one that is named."""
    while frame is not None and frame.f_code.co_filename != message.filename:
        frame = frame.f_back
    while frame is not None and is_ours(frame.f_code.co_filename):
        frame = frame.f_back
        while frame is not None and frame.f_code.co_filename == _OVERRIDES:
            # A function of torch's that has asked the mode: it is the call itself.
            asked = frame.f_code.co_name == "handle_torch_function"
            frame = frame.f_back
            if asked and frame is not None:
                frame = frame.f_back
    return frame
