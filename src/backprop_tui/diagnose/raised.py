"""The exception that a step ended with, in words: which line, which tensors, and what to do."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from ..finding import Finding, Severity
from ..frames import raised_at
from ..tape import Event, Source
from .complaints import COMPLAINTS, Complaint
from .examined import Examined

_NAMED = 4


def raised(examined: Examined) -> Iterator[Finding]:
    """An exception that training is known for.

    The message is looked up, and the tensors that the failing op was given are the evidence:
    their names, shapes, dtypes or ranges. The line is the program's own that it came through last.
    """
    error = examined.error
    if error is None:
        return
    said = str(error).partition("\n")[0]
    for complaint in COMPLAINTS:
        found = complaint.pattern.search(said)
        if found is not None:
            event = _event(examined)
            given = _given(examined, event, complaint)
            yield Finding(
                complaint.kind,
                Severity.ERROR,
                f"{said.rstrip('.')}{given}",
                complaint.why.format(**found.groupdict()),
                complaint.fix.format(**found.groupdict()),
                _source(examined, error, found.groupdict().get("op")),
            )
            return


def _event(examined: Examined) -> Event | None:
    """What the tape knows of the call that raised: nothing has happened since."""
    last = examined.last
    fresh = last is not None and last.ops == len(examined.tape.ops)
    return last if fresh and last is not None and last.kind in ("raised", "backward") else None


def _source(examined: Examined, error: BaseException, op: str | None) -> Source | None:
    """The line that raised, or that of the op which an exception in backward names."""
    named = (each for each in reversed(examined.tape.ops) if op and each.name.endswith(op))
    return next((each.source for each in named), None) or raised_at(error)


def _given(examined: Examined, event: Event | None, complaint: Complaint) -> str:
    """``: given a 4×3 tensor and fc.weight 5×4``."""
    shown = [_told(examined, value, complaint.shown) for value in event.values] if event else []
    return f": given {' and '.join(shown[:_NAMED])}" if shown else ""


def _told(examined: Examined, value: int, what: str) -> str:
    tensor, name = examined.tape.values[value].tensor, examined.name(value)
    size = "×".join(map(str, tensor.shape)) or "a single number"
    said = {"dtype": str(tensor.dtype)[6:], "device": str(tensor.device)}.get(what, "")
    if what == "range":
        said = _range(tensor)
    return " ".join(filter(None, (name, size, said)))


def _range(tensor: Tensor) -> str:
    """``from -2 to 7``, of numbers that can be indices or probabilities."""
    if not tensor.numel() or tensor.is_complex() or tensor.device.type == "meta":
        return ""
    return f"from {tensor.min().item():.4g} to {tensor.max().item():.4g}"
