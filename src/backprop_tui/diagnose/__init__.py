"""What is wrong with a training, read off its tapes: the catalogue of findings.

A detector is a function of an `Examined` step that yields findings. Each family has a file;
`DETECTORS` lists them all, in the order in which their findings are shown. An error that is
wrong is worse than one that is missed: what may be meant is a warning or a note.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from ..finding import Finding, Severity
from ..judge import Judged, judge
from ..tape import Tape
from .absent import absent_gradient, gradient_of_interior, nothing_to_train, rebound_parameter
from .accumulation import (
    forgotten_zero_grad,
    misplaced_clip,
    misplaced_zero_grad,
    step_before_backward,
)
from .activations import dead_relu, saturated
from .by_hand import assigned_factor, missing_path
from .cut import cut_graph, reclaimed_loss
from .derivative import refused_gradient, wrong_backward
from .examined import Examined, Memory
from .finite import not_finite
from .graphs import freed_graph, growing_graph
from .losses import broadcast_loss, constant_loss, padding_in_loss
from .mixing import crossed_classes, mixed_samples
from .modes import evaluation_mode
from .norms import symmetric_rows, uneven_layers, update_size
from .precision import half_underflow
from .raised import raised
from .scaling import clip_before_unscale, gradient_hook, unscaled_accumulation
from .second_order import second_order
from .squashed import softmax_over_batch, squashed_twice
from .stale import overwritten_value, silent_edit
from .untrained import untrained
from .updated import updated_first
from .words import line_of

Detector = Callable[[Examined], Iterable[Finding]]

DETECTORS: tuple[Detector, ...] = (
    wrong_backward,
    refused_gradient,
    second_order,
    missing_path,
    assigned_factor,
    updated_first,
    cut_graph,
    reclaimed_loss,
    rebound_parameter,
    nothing_to_train,
    absent_gradient,
    gradient_of_interior,
    untrained,
    forgotten_zero_grad,
    misplaced_zero_grad,
    step_before_backward,
    misplaced_clip,
    clip_before_unscale,
    unscaled_accumulation,
    gradient_hook,
    overwritten_value,
    silent_edit,
    freed_graph,
    growing_graph,
    not_finite,
    dead_relu,
    saturated,
    uneven_layers,
    update_size,
    symmetric_rows,
    half_underflow,
    evaluation_mode,
    broadcast_loss,
    squashed_twice,
    softmax_over_batch,
    constant_loss,
    padding_in_loss,
    mixed_samples,
    crossed_classes,
    raised,
)


FAILED = "detector-failed"


class Diagnosis:
    """The findings of one training, step after step.

    What a tape cannot tell alone (a gradient left over, a unit dead for many steps) is
    remembered from one step to the next.
    """

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self._memory = Memory()

    def examine(
        self,
        tape: Tape,
        step: int = 1,
        error: BaseException | None = None,
        judged: Sequence[Judged] = (),
    ) -> tuple[Finding, ...]:
        """The findings of the step `tape`, new ones only: what was said before is not repeated.

        Args:
            error: the exception that the step ended with.
            judged: its backward passes, where they have been judged already.
        """
        passes = tuple(judged) or tuple(judge(tape, backward) for backward in tape.backwards)
        examined = Examined(tape, passes, step, error, self._memory)
        said = {_same(finding) for finding in self.findings}
        new = []
        for finding in map(_users, found(examined)):
            if _same(finding) not in said:
                said.add(_same(finding))
                new.append(replace(finding, step=step))
        self._memory.remember(examined)
        self.findings += new
        return tuple(new)


def found(examined: Examined) -> Iterator[Finding]:
    """What every detector says of one step, the worst first."""
    findings = [finding for detector in DETECTORS for finding in _guarded(detector, examined)]
    yield from sorted(findings, key=lambda finding: -finding.severity.rank)


def _guarded(detector: Detector, examined: Examined) -> Iterator[Finding]:
    """What a detector says. A fault of its own is told, and ends no program that is watched."""
    try:
        yield from detector(examined)
    except Exception as error:
        yield Finding(
            FAILED,
            Severity.NOTE,
            f"{detector.__name__} cannot examine this step: {type(error).__name__}: {error}",
            "That is a fault of backprop-tui, not of the program.",
            "Report it with the program, if you can; everything else was examined.",
        )


def _users(finding: Finding) -> Finding:
    """A finding in a line of an installed package stands at the user's that called it."""
    source = finding.source
    if source is None or source.caller is None:
        return finding
    message = f"{finding.message} (in {line_of(source)})"
    return replace(finding, source=source.caller, message=message)


def _same(finding: Finding) -> tuple[object, ...]:
    """What makes two findings one."""
    return finding.kind, finding.source, finding.op, finding.module


__all__ = ["DETECTORS", "Detector", "Diagnosis", "Examined", "Finding", "Severity", "found"]
