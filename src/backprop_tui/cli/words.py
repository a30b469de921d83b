"""What the commands share: the program's name, and arguments that are numbers and ranges."""

from __future__ import annotations

import argparse

PROGRAM = "backprop-tui"


def positive(text: str) -> int:
    """A whole number of 1 or more."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return value


def number(text: str) -> float:
    """Any number but nan."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number, such as 1e-4") from None
    if value != value:
        raise argparse.ArgumentTypeError("nan is no learning rate: give a number, such as 1e-4")
    return value


def steps(text: str) -> tuple[int, int | None]:
    """``5``, ``3-7`` or ``all``."""
    if text == "all":
        return 1, None
    first, dash, last = text.partition("-")
    low, high = (positive(first), positive(last)) if dash else (1, positive(first))
    if high < low:
        raise argparse.ArgumentTypeError(f"{text!r}: the last step comes before the first")
    return low, high
