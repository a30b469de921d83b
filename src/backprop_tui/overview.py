"""A tape as a session: each of its backward passes to look at as a whole, and op by op."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable

from .alone import alone
from .judge import Judging
from .naming import Naming
from .outline import Outline
from .rules import registry
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

    def __init__(self, tape: Tape, number: int, title: str) -> None:
        self._tape, self._number, self._title = tape, number, title
        self._backward = tape.backwards[number] if tape.backwards else None
        self._outline = Outline(tape, self._backward)
        self._judging = Judging(tape, self._backward) if self._backward is not None else None
        self._insides: OrderedDict[int, Trace] = OrderedDict()
        self.trace = self._trace()

    def judge(self, progress: Callable[[int, int], bool] = lambda done, total: True) -> Trace:
        """Derive and judge the way back, on from where it was left; the trace with it.

        Args:
            progress: told how many ops of how many are done; it answers False to stop.
        """
        judging = self._judging
        if judging is not None and not judging.finished:
            judging.run(lambda done: progress(done, judging.total))
            self._outline.way_back(judging.judged())
            self.trace = self._trace()
        return self.trace

    def into(self, call: int) -> Trace | None:
        """The rule of one op line by line, fed with autograd's own cotangents; None without."""
        op = self._tape.ops[call]
        if registry.find(op.function) is None:
            return None
        if op.index not in self._insides:
            self._insides[op.index] = self._inside(op)
            if len(self._insides) > _CACHED_INSIDES:
                self._insides.popitem(last=False)
        return self._insides[op.index]

    def _inside(self, op: Op) -> Trace:
        return walk(
            alone(self._tape, self._backward, op),
            title=" ".join(filter(None, [self._title, "›", op.module, op.name])),
            iteration=self._number + 1,
            naming=Naming(leaves=self._leaves(op), own_lines=True),
        )

    def _leaves(self, op: Op) -> dict[str, str]:
        """What the op's inputs are called, for the walk over it alone."""
        found, inputs = {}, 0
        for value in dict.fromkeys(op.inputs):
            path = self._tape.values[value].name
            if not path:
                path = f"input {inputs}"
                inputs += 1
            found[path] = self._outline.names[value]
        return found

    def _trace(self) -> Trace:
        outline, judging = self._outline, self._judging
        judged = judging.judged() if judging is not None else None
        return Trace(
            title=self._title,
            iteration=self._number + 1,
            given=outline.given(),
            groups=tuple(outline.groups),
            steps=tuple(outline.steps),
            loss=loss_of(self._tape, self._backward) if self._backward is not None else math.nan,
            constants={},
            gradients=outline.gradients(judged),
            autograd_at=outline.forward_steps,
            warning=ONLY_FORWARD if self._backward is None else "",
            pending=judging.total - judging.done if judging is not None else 0,
        )


class TapeSession(Session):
    """The backward passes of one tape as a session; each is judged when one asks for it."""

    def __init__(self, tape: Tape, title: str = "tape") -> None:
        self.title = title
        self.iterations = max(1, len(tape.backwards))
        self.losses = {
            number: loss_of(tape, backward) for number, backward in enumerate(tape.backwards, 1)
        }
        self._tape = tape
        self._overviews: dict[int, Overview] = {}

    def trace(self, iteration: int) -> Trace:
        return self._overview(iteration).trace

    def run_to(self, iteration: int, progress: Callable[[int], bool] = lambda _: True) -> int:
        self.trace(iteration)
        return iteration

    def judge(
        self, iteration: int, progress: Callable[[int, int], bool] = lambda done, total: True
    ) -> Trace:
        return self._overview(iteration).judge(progress)

    def into(self, trace: Trace, group: int) -> Trace | None:
        call = trace.groups[group].call
        return None if call is None else self._overview(trace.iteration).into(call)

    def called(self, iteration: int, call: int) -> tuple[Backward, Op] | None:
        if not self._tape.backwards:
            return None
        return self._tape.backwards[iteration - 1], self._tape.ops[call]

    def _overview(self, iteration: int) -> Overview:
        if not 1 <= iteration <= self.iterations:
            raise IndexError(f"no step {iteration}: there are 1 to {self.iterations}")
        if iteration not in self._overviews:
            self._overviews[iteration] = Overview(self._tape, iteration - 1, self.title)
        return self._overviews[iteration]
