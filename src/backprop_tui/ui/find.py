"""Steps found by words: what they are called, what they do, how they were judged, how they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .once import once
from .standing import verdicts

if TYPE_CHECKING:
    from ..steps import Trace

HEALTH = ("nan", "inf", "zero")


def find(trace: Trace, query: str) -> list[int]:
    """The steps that every word of `query` fits, in order; all of them without a word.

    A verdict (``different``) finds what it was given to; ``nan``, ``inf`` and ``zero`` find
    the values that are that, and any other word what has it in its formula, op or module.
    """
    from ..compare import Verdict

    found: list[int] = list(range(len(trace.steps)))
    for word in sorted(query.casefold().split(), key=len, reverse=True):
        if word in list(Verdict):
            given = set(verdicts(trace).all[Verdict(word)])
            found = [step for step in found if step in given]
        elif word in HEALTH:
            found = [step for step in found if trace.steps[step].health.casefold() == word]
        else:
            said = texts(trace)
            found = [step for step in found if word in said[step]]
    return found


@once
def texts(trace: Trace) -> list[str]:
    """What the words of a query are looked for in, step by step."""
    return [
        f"{step.label} {step.formula} {trace.groups[step.group].op} {step.layer}".casefold()
        for step in trace.steps
    ]
