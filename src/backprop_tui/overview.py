"""A tape as a session: each of its backward passes to look at as a whole, and op by op."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from .alone import alone
from .diagnose import Diagnosis
from .diagnose.ledger import described
from .finding import Finding
from .judge import Judged, Judging
from .naming import Naming
from .outline import Outline
from .rules import registry
from .rules.optimizer import UPDATES
from .session import Session
from .steps import Trace
from .tape import Backward, Op, Tape
from .walk import loss_of, walk

_CACHED_INSIDES = 8
ONLY_FORWARD = (
    "nothing was differentiated while this was recorded: there is the forward pass, and nothing "
    "to compare. loss.backward() inside the recording gives the rest"
)


class Overview:
    """One backward pass of a tape, or its forward pass where there is none.

    Attributes:
        trace: the forward pass, and the way back as far as it is judged.
    """

    def __init__(self, tape: Tape, number: int, title: str, iteration: int) -> None:
        self.tape, self._iteration, self._title = tape, iteration, title
        self._backward = tape.backwards[number] if tape.backwards else None
        self._outline = Outline(tape, self._backward)
        self._insides: OrderedDict[tuple[str, int], Trace] = OrderedDict()
        self.trace = self._trace(None, self._backward.after if self._backward is not None else 0)

    def judge(self, progress: Callable[[int, int], bool] = lambda done, total: True) -> Trace:
        """Derive and judge the way back, on from where it was left; the trace with it.

        Args:
            progress: told how many ops of how many are done; it answers False to stop.
        """
        judging = self._judging
        if judging is not None and not judging.finished:
            judging.run(lambda done: progress(done, judging.total))
            judged = judging.judged()
            self._outline.way_back(judged)
            if judging.finished:
                self._outline.updates()
            self.trace = self._trace(judged, judging.total - judging.done)
        return self.trace

    @cached_property
    def _judging(self) -> Judging | None:
        """Begun when it is asked for: whoever opens a tape does not wait for it."""
        return None if self._backward is None else Judging(self.tape, self._backward)

    @property
    def judged(self) -> Judged | None:
        """The way back, once all of it is judged; None where there is none."""
        judging = self._judging
        return judging.judged() if judging is not None and judging.finished else None

    def into(self, call: int) -> Trace | None:
        """The rule of one op line by line, fed with autograd's own cotangents; None without."""
        op = self.tape.ops[call]
        if registry.find(op.function) is None:
            return None
        return self._kept(("op", call), lambda: self._inside(op))

    def into_update(self, number: int) -> Trace | None:
        """One update of a parameter line by line; None where its optimizer has no rule."""
        phase, trace = self._outline.update_phase, self.trace
        if phase is None or self.tape.updates[number].optimizer not in UPDATES:
            return None
        rest = (trace.gradients, self._title, self._iteration, trace.loss)
        return self._kept(("update", number), lambda: phase.inside(number, *rest))

    def _kept(self, key: tuple[str, int], make: Callable[[], Trace]) -> Trace:
        if key not in self._insides:
            self._insides[key] = make()
            if len(self._insides) > _CACHED_INSIDES:
                self._insides.popitem(last=False)
        return self._insides[key]

    def called(self, call: int) -> tuple[Backward, Op] | None:
        """One op of the tape, with the pass that it is seen in."""
        return None if self._backward is None else (self._backward, self.tape.ops[call])

    def _inside(self, op: Op) -> Trace:
        inside = walk(
            alone(self.tape, self._backward, op),
            title=" ".join(filter(None, [self._title, "›", op.module, op.name])),
            iteration=self._iteration,
            naming=Naming(leaves=self._leaves(op), own_lines=True),
        )
        return replace(inside, loss=self.trace.loss)

    def _leaves(self, op: Op) -> dict[str, str]:
        """What the op's inputs are called, for the walk over it alone."""
        found, inputs = {}, 0
        for value in dict.fromkeys(op.inputs):
            path = self.tape.values[value].name
            if not path:
                path = f"input {inputs}"
                inputs += 1
            found[path] = self._outline.names[value]
        return found

    def _trace(self, judged: Judged | None, pending: int) -> Trace:
        outline = self._outline
        return Trace(
            title=self._title,
            iteration=self._iteration,
            given=outline.given(),
            groups=tuple(outline.groups),
            steps=tuple(outline.steps),
            loss=loss_of(self.tape, self._backward) if self._backward is not None else math.nan,
            constants={},
            gradients=outline.gradients(judged),
            autograd_at=outline.forward_steps,
            warning=ONLY_FORWARD if self._backward is None else "",
            pending=pending,
        )


Examine = Callable[[Sequence[Judged]], Sequence[Finding]]


class TapeSession(Session):
    """The backward passes of one or more tapes as a session; each is judged when one asks for it.

    A tape whose passes are all judged is examined: what is wrong with it are its findings.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self.iterations = 0
        self.losses = {}
        self._overviews: dict[int, Overview] = {}
        self._chapters: dict[int, _Chapter] = {}  # iteration -> the tape that it is on

    @classmethod
    def of(cls, tape: Tape, title: str = "tape") -> TapeSession:
        """One tape alone."""
        session = cls(title)
        session.add(tape, lambda judged: Diagnosis().examine(tape, judged=judged))
        return session

    def add(self, tape: Tape, examine: Examine, number: int = 1) -> None:
        """Go on with another tape; the session is to be opened where it begins.

        Args:
            number: of the training step that it is.
            examine: what is wrong with the tape, told its passes by hand.
        """
        self.begin = first = self.iterations + 1
        count = max(1, len(tape.backwards))
        chapter = _Chapter(range(first, first + count), examine, number)
        for position in range(count):
            iteration = first + position
            self._overviews[iteration] = Overview(tape, position, self.title, iteration)
            self._chapters[iteration] = chapter
            if tape.backwards:
                self.losses[iteration] = loss_of(tape, tape.backwards[position])
        self.iterations += count
        self._examine(chapter)

    def keep(self, count: int) -> None:
        """Let go of all but the last tapes."""
        kept = list(dict.fromkeys(self._chapters.values()))[-count:]
        self._chapters = {i: chapter for i, chapter in self._chapters.items() if chapter in kept}
        self._overviews = {i: self._overviews[i] for i in self._chapters}
        self.first = min(self._chapters)

    def trace(self, iteration: int) -> Trace:
        return self._overview(iteration).trace

    def run_to(self, iteration: int, progress: Callable[[int], bool] = lambda _: True) -> int:
        self.trace(iteration)
        return iteration

    def judge(
        self, iteration: int, progress: Callable[[int, int], bool] = lambda done, total: True
    ) -> Trace:
        trace = self._overview(iteration).judge(progress)
        self._examine(self._chapters[iteration])
        return trace

    def findings(self, trace: Trace) -> Sequence[Finding]:
        return self._chapters[trace.iteration].findings or ()

    def call_of(self, finding: Finding, trace: Trace) -> int | None:
        here = finding.step == self._chapters[trace.iteration].number
        return finding.index if here else None

    def ledger(self, trace: Trace) -> Sequence[tuple[str, str]]:
        return tuple(described(self._overview(trace.iteration).tape))

    def into(self, trace: Trace, group: int) -> Trace | None:
        overview, at = self._overview(trace.iteration), trace.groups[group]
        if at.update is not None:
            return overview.into_update(at.update)
        return None if at.call is None else overview.into(at.call)

    def called(self, iteration: int, call: int) -> tuple[Backward, Op] | None:
        return self._overview(iteration).called(call)

    def _examine(self, chapter: _Chapter) -> None:
        overviews = [self._overviews[iteration] for iteration in chapter.iterations]
        if chapter.findings is None and not any(each.trace.pending for each in overviews):
            judged = [each.judged for each in overviews if each.judged is not None]
            chapter.findings = tuple(chapter.examine(judged))

    def _overview(self, iteration: int) -> Overview:
        if iteration not in self._overviews:
            raise IndexError(f"no step {iteration}: there are 1 to {self.iterations}")
        return self._overviews[iteration]


@dataclass(eq=False)
class _Chapter:
    """One tape of a session; its findings are None until it is examined."""

    iterations: range
    examine: Examine
    number: int
    findings: tuple[Finding, ...] | None = None
