"""The debugger for backpropagation.

    import backprop_tui as bp

    with bp.record(model) as tape:
        loss_fn(model(x), y).backward()
    print(tape.check())

A map of the files, from the ground up: `rules/` the derivatives by hand · `tape` what was
recorded · `recorder` any code -> Tape · `backward` Tape + rules -> cotangents · `lines`, `walk`
the same line by line -> `steps` · `compare`, `witness`, `numeric` verdicts · `check` a whole
tape's Report · `session` steps and time travel · `lessons/` · `export`, `repl` tensors leave ·
`ui/` the screen · `cli` arguments.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import Tape, breakpoint, record, rule, sample, watch
    from .assertion import assert_gradients
    from .report import Report

__all__ = [
    "Report",
    "Tape",
    "assert_gradients",
    "breakpoint",
    "record",
    "rule",
    "sample",
    "watch",
]

_HOMES = dict.fromkeys(__all__, "api") | {"Report": "report", "assert_gradients": "assertion"}


def __getattr__(name: str) -> Any:
    """Public names load when they are first used, since they need torch."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
