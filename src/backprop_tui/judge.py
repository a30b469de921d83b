"""One backward pass judged: every op by itself, every cotangent in the chain from the loss."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .backward import Chain, Derivation, Visit
from .compare import Comparison, Trial, Verdict
from .numeric import check_function, widen
from .report import AGREED
from .tape import Backward, Op, Tape
from .witness import DRAWS, Alone, shaken, summed


@dataclass(frozen=True)
class Judged:
    """One backward pass derived and compared.

    Attributes:
        derivation: every cotangent by hand.
        ops: those that carry gradient, in forward order.
        isolated: op index -> the op alone; `chained`: value index -> its cotangent.
        shares: (op index, value index) -> what that op alone gave to a cotangent, where
            several ops gave.
    """

    backward: Backward
    derivation: Derivation
    ops: tuple[Op, ...]
    isolated: Mapping[int, Verdict]
    chained: Mapping[int, Comparison]
    shares: Mapping[tuple[int, int], Tensor]


class Cancelled(Exception):
    """`progress` answered False."""


def judge(
    tape: Tape,
    backward: Backward,
    *,
    given: Mapping[int, Tensor] | None = None,
    progress: Callable[[int], bool] = lambda done: True,
) -> Judged:
    """Derive one backward pass by hand, and compare every op alone and every cotangent.

    Raises:
        Cancelled: when `progress`, told how many ops are done, answers False.
    """
    judging = Judging(tape, backward, given)
    if not judging.run(progress):
        raise Cancelled
    return judging.judged()


class Judging:
    """Goes through the tape once with two chains side by side, as recorded and in float64.

    It can be stopped after any op, asked what is judged so far, and run on from there. The
    float64 chain forgets what it has no more use for, so that a check never holds a
    second set of gradients in double precision. Perturbed chains run after, for what is
    still suspicious then.

    Attributes:
        done: how many of the tape's `total` ops are judged, from the last one on.
        finished: whether that is all, and every verdict final.
    """

    def __init__(
        self, tape: Tape, backward: Backward, given: Mapping[int, Tensor] | None = None
    ) -> None:
        self._tape, self._backward, self._given = tape, backward, given
        self._ops = tuple(reversed(tape.ops[: backward.after]))
        self.done, self.total = 0, len(self._ops)
        self.finished = False
        self._manual = Chain(tape, backward, given=given)
        self._truth = Chain(tape, backward, given=given, convert=widen)
        self._completed = _completed(tape, self._ops)
        self._chained: dict[int, Comparison] = {}
        self._suspects: dict[int, Trial] = {}
        self._isolated: dict[int, Verdict] = {}
        self._shares: dict[tuple[int, int], Tensor] = {}

    @torch.no_grad()
    def run(self, progress: Callable[[int], bool] = lambda done: True) -> bool:
        """Go on to the end, or until `progress` answers False; whether the end is reached."""
        while self.done < self.total:
            self._judge(self._ops[self.done])
            self.done += 1
            if not progress(self.done) and self.done < self.total:
                return False
        for value in set(self._manual.derivation.cotangents) - set(self._chained):
            self._try(value)
        self._loosen()
        for value, trial in self._suspects.items():
            self._close(value, trial)
        self.finished = True
        return True

    def judged(self) -> Judged:
        """All that is judged so far."""
        ops = tuple(op for op in reversed(self._ops) if op.index in self._isolated)
        derivation = self._manual.derivation
        return Judged(self._backward, derivation, ops, self._isolated, self._chained, self._shares)

    def _judge(self, op: Op) -> None:
        manual, wide = self._manual.step(op), self._truth.step(op)
        if manual is not None:
            self._isolated[op.index] = self._alone(op, manual, wide)
            for value, cotangent in summed(op, manual.outgoing).items():
                if (op.index, value) in self._backward.contributions:
                    self._shares[op.index, value] = cotangent
        for value in self._completed[op.index]:
            self._try(value)
        self._truth.forget(value for value in op.results if value not in op.inputs)

    def _alone(self, op: Op, manual: Visit, wide: Visit | None) -> Verdict:
        if manual.rule is None:
            custom = isinstance(op.function, type)
            return check_function(self._backward, op) if custom else Verdict.UNVERIFIED
        recorded = (manual, wide) if not self._given else (None, None)
        return Alone(self._backward, op, *recorded).verdict()

    def _try(self, value: int) -> None:
        """Compare a cotangent that is complete, and close the case unless it is suspicious."""
        manual, truth = self._manual.complete(value), self._truth.complete(value)
        autograd = self._backward.cotangents.get(value)
        if manual is None or autograd is None or value in self._suspects:
            return
        trial = Trial(manual, autograd, lambda: truth)
        if trial.suspicious:
            self._suspects[value] = trial
        else:
            self._close(value, trial)
        if self._tape.values[value].leaf:
            self._truth.forget((value,))

    def _loosen(self) -> None:
        """See what inputs within half an eps do to the suspects."""
        for draw in range(DRAWS):
            open_cases = {v: trial for v, trial in self._suspects.items() if trial.suspicious}
            if not open_cases:
                return
            chain = Chain(self._tape, self._backward, given=self._given, convert=shaken(draw))
            for op in self._ops:
                chain.step(op)
                for value in self._completed[op.index]:
                    moved = chain.complete(value)
                    if moved is not None and value in open_cases:
                        open_cases[value].loosen(moved)
                chain.forget(value for value in op.results if value not in op.inputs)

    def _close(self, value: int, trial: Trial) -> None:
        found = trial.verdict()
        if found.verdict is Verdict.AMBER and set(self._isolated.values()) <= set(AGREED):
            # Every link was judged alone, and is right: what adds up along a chain is rounding.
            found = replace(found, verdict=Verdict.ROUNDING)
        if value in self._manual.derivation.unruled and found.verdict in AGREED:
            found = replace(found, verdict=Verdict.UNVERIFIED)
        self._chained[value] = found


def _completed(tape: Tape, ops: Sequence[Op]) -> Mapping[int, list[int]]:
    """Op index -> the values that no op after it, on the way back, reads."""
    first: dict[int, int] = {}
    for op in ops:
        first.update((value, op.index) for value in op.inputs if tape.values[value].requires_grad)
    completed: dict[int, list[int]] = defaultdict(list)
    for value, index in first.items():
        completed[index].append(value)
    return completed
