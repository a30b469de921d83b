"""A repro capsule: one op and its gradient as a pytest file that needs only torch and pytest.

It holds the op's inputs, the cotangents that autograd had and the gradients it gave as exact
data, the rule, and finite differences; it fails where the gradients are wrong. Something to
attach to a bug report.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..compare import Verdict
from ..errors import UserError
from ..export import identifier
from ..fallback import torch_vjp
from ..lines import Line
from ..numeric import standing_alone, widen
from ..report import Report
from ..tape import Backward, Op, Tape, map_tensors
from ..visit import Visit, ambient, incoming_of, pull_back, visit_of
from ..witness import contributions
from . import text, witnesses
from .call import Call
from .sources import Sources


@dataclass(frozen=True)
class Capsule:
    """The text of a capsule, and the tensors that are too large for it.

    The text looks for these in a .pt file of its own name.
    """

    text: str
    large: Mapping[str, Tensor]


def capsule(backward: Backward, op: Op) -> Capsule:
    """Put one op of a recorded step, as one of its backward passes saw it, into a file of its own.

    Raises:
        UserError: if no gradient flows through the op, nothing can judge it, or what it depends
            on cannot be written down.
    """
    with torch.no_grad():
        visit, answer = _visited(backward, op)
        # What was handed back as it was keeps its own gradient.
        found = contributions(backward, op, visit.outgoing)
        judged = [each for each in found if each[0] not in op.results]
    if not judged:
        raise UserError(f"no gradient flows through {op.name} in this step: none to judge")
    wide = _runs_wide(visit)
    if visit.rule is None and not wide:
        raise UserError(f"{op.name} has no rule and refuses float64: nothing can judge it")
    alone = standing_alone(backward, op)
    # Where differences contradict both, the gradient is a convention and no slope.
    sloped = wide and alone != "numeric"
    sources = Sources(text.NAMES)
    ruled = visit.rule is not None
    judges = _judges(sources, ruled, wide, sloped)
    call = Call(op, sources)
    recorded = {call.names[value]: autograd for value, _, autograd in judged}
    data = text.data(op, call.inputs, visit.incoming, recorded, sources)
    unpacking = sources.taken_out()
    made = call.made()
    by_hand = call.by_hand(visit, answer) if ruled else text.BY_AUTOGRAD
    derived = sources.taken_out()
    parts = [*unpacking, data, *derived, made, by_hand, text.tests(wide, sloped), *judges]
    head = text.head(op, text.verdict(backward, op, alone), sources)
    # A comment stands nearer to the imports than a function does.
    gap = "\n\n\n" if unpacking else "\n\n"
    return Capsule(head + gap + "\n\n\n".join(parts) + "\n", sources.large)


def write(folder: str | Path, backward: Backward, op: Op) -> Path:
    """Write a capsule of `op` into `folder`, never over another file, and say where it is.

    Raises:
        UserError: as `capsule` does, or if the folder cannot be written to.
    """
    made = capsule(backward, op)
    try:
        path = _put(Path(folder).expanduser(), f"capsule_{identifier(op.name)}", made.text)
        if made.large:
            torch.save(dict(made.large), path.with_suffix(".pt"))
    except OSError as error:
        raise UserError(f"cannot write into {folder}: {error.strerror or error}") from error
    return path


def write_faults(
    folder: str | Path, tape: Tape, report: Report, known: dict[tuple[str, str], str]
) -> dict[tuple[str, str], str]:
    """Write a capsule of each op that is wrong by itself, once for each line of the program.

    Args:
        known: (op, source) -> what was said of it, to be added to from tape to tape.

    Returns:
        `known`: where a capsule is, or why there is none.
    """
    for row in report.ops:
        if row.isolated is Verdict.DIFFERENT and (row.op, row.source) not in known:
            try:
                said = str(write(folder, tape.backwards[row.step], tape.ops[row.index]))
            except UserError as error:
                said = f"none: {error}"
            known[row.op, row.source] = f"capsule of {row.op}: {said}"
    return known


def _put(folder: Path, stem: str, content: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in itertools.count(1):
        path = folder / (f"{stem}.py" if number == 1 else f"{stem}_{number}.py")
        if path.with_suffix(".pt").exists():
            continue
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(content)
        except FileExistsError:
            continue
        return path
    raise AssertionError


def _visited(backward: Backward, op: Op) -> tuple[Visit, Any]:
    """The op under its rule, or torch's own derivative, and the rule's answer as it came."""
    answers: list[Any] = [None]

    def run(function: Any, *args: Any, **kwargs: Any) -> tuple[list[Line], Any]:
        answers.append(function(*args, **kwargs))
        return [], answers[-1]

    visit = visit_of(op, (op.args, dict(op.kwargs)))
    if incoming := incoming_of(backward, op):
        pull_back(visit, incoming, run)
    return visit, answers[-1]


def _runs_wide(visit: Visit) -> bool:
    """Whether torch can differentiate the op in float64."""
    arguments = map_tensors(widen, visit.arguments)
    try:
        with ambient(visit.op):
            list(torch_vjp(visit.op, arguments, [widen(dy) for dy in visit.incoming]))
    except (RuntimeError, TypeError):
        return False
    return True


def _judges(sources: Sources, ruled: bool, wide: bool, sloped: bool) -> list[str]:
    """The source of what judges the op. It comes first, to be sure of its names."""
    needed = {"errors": True, "widest": True, "fitted": ruled, "autograd": wide, "widened": wide}
    needed["disagreement"] = sloped
    for name in needed:
        if needed[name]:
            sources.refer(getattr(witnesses, name), name)
    return sources.taken_out()
