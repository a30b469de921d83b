"""One backward pass judged: every op by itself, every cotangent in the chain from the loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .backward import Chain, Derivation
from .chains import Follower, Links
from .compare import (
    ROUNDING,
    Comparison,
    Standing,
    Trial,
    Verdict,
    bound,
    differences,
    same_bits,
    unchecked,
)
from .numeric import check_function, widen
from .report import AGREED
from .tape import Backward, Op, Tape, tensors
from .visit import Convert, Visit, same
from .witness import DRAWS, Alone, nudged, summed


@dataclass(frozen=True)
class Judged:
    """One backward pass derived and compared.

    Attributes:
        derivation: every cotangent by hand.
        ops: those that carry gradient, in forward order.
        isolated: op index -> the op alone; `chained`: value index -> its cotangent.
        shares: (op index, value index) -> what that op alone gave to a cotangent, where
            several ops gave.
        failures: op index -> why its rule could not be used.
    """

    backward: Backward
    derivation: Derivation
    ops: tuple[Op, ...]
    isolated: Mapping[int, Verdict]
    chained: Mapping[int, Standing]
    shares: Mapping[tuple[int, int], Tensor]
    failures: Mapping[int, str]
    _figures: dict[int, Comparison]

    def comparison(self, value: int) -> Comparison:
        """A cotangent's verdict with its figures."""
        found = self.chained.get(value)
        if found is None:
            return unchecked()
        if value not in self.derivation.cotangents:
            return Comparison(found.verdict, *4 * (math.nan,), worst=(), nonfinite=0)
        if value not in self._figures:
            manual, autograd = self.derivation.cotangents[value], self.backward.cotangents[value]
            figures = differences(manual, autograd)
            self._figures[value] = replace(figures, verdict=found.verdict, rho=found.rho)
        return self._figures[value]


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
    """Goes through the tape once, with our chain of cotangents.

    Where our distance from autograd's does not speak for itself, what the ops gave alone tells how
    much of it came in with the cotangents before (`Links`). A chain in float64 follows only where
    that does not explain it, and perturbed ones after, for what is still suspicious then. All can
    be stopped after any op, asked what is judged so far, and run on from there.

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
        self._completed = _completed(tape, self._ops)
        leaves = {
            index: [value for value in values if tape.values[value].leaf]
            for index, values in self._completed.items()
        }
        self._manual = self._chain(same)
        self._truth = Follower(lambda: self._chain(widen), self._ops, leaves)
        self._links = Links()
        self._chained: dict[int, Standing] = {}
        self._suspects: dict[int, Trial] = {}
        self._isolated: dict[int, Verdict] = {}
        self._shares: dict[tuple[int, int], Tensor] = {}
        self._failures: dict[int, str] = {}
        self._figures: dict[int, Comparison] = {}

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
        if not self._loosen(progress):
            return False
        for value, trial in self._suspects.items():
            self._close(value, trial.standing())
        for value in set(self._backward.cotangents) - set(self._chained):
            self._chained[value] = Standing(Verdict.UNVERIFIED, math.nan)
        self.finished = True
        return True

    def judged(self) -> Judged:
        """All that is judged so far."""
        ops = tuple(op for op in reversed(self._ops) if op.index in self._isolated)
        derivation = self._manual.derivation
        return Judged(
            self._backward,
            derivation,
            ops,
            self._isolated,
            self._chained,
            self._shares,
            self._failures,
            self._figures,
        )

    def _judge(self, op: Op) -> None:
        manual = self._manual.step(op)
        if manual is not None:
            verdict, given = self._alone(op, manual)
            self._isolated[op.index] = verdict
            right = verdict in AGREED and not self._given
            self._links.add(op, self._came(op), given if right else None)
            if manual.failure:
                self._failures[op.index] = manual.failure
            for value, cotangent in summed(op, manual.outgoing).items():
                if (op.index, value) in self._backward.contributions:
                    self._shares[op.index, value] = cotangent
        for value in self._completed[op.index]:
            self._try(value, op)

    def _chain(self, convert: Convert) -> Chain:
        return Chain(self._tape, self._backward, given=self._given, convert=convert)

    def _alone(self, op: Op, manual: Visit) -> tuple[Verdict, Mapping[int, Tensor] | None]:
        """The op by itself, and what its rule gives for autograd's own cotangents."""
        if any(tensor.is_nested for tensor in (*manual.incoming, *tensors(manual.arguments))):
            return Verdict.UNVERIFIED, None
        if manual.rule is None:
            custom = isinstance(op.function, type)
            return check_function(self._backward, op) if custom else Verdict.UNVERIFIED, None
        alone = Alone(self._backward, op, None if self._given else manual)
        return alone.verdict(), summed(op, alone.outgoing)

    def _came(self, op: Op) -> list[int]:
        """The results of an op that cotangents came into, ours or autograd's, all compared."""
        came = [
            value
            for value in op.results
            if value not in op.inputs
            and (value in self._backward.cotangents or self._manual.complete(value) is not None)
        ]
        for value in came:
            if value not in self._chained:  # no op reads it: the loss
                self._try(value)
        return came

    def _try(self, value: int, op: Op | None = None) -> None:
        """Compare a cotangent that `op` completed, and close the case unless it is suspicious."""
        manual, autograd = self._manual.complete(value), self._backward.cotangents.get(value)
        again = self._links.take(value)
        if manual is None or autograd is None or autograd.is_nested or value in self._suspects:
            return
        manual, autograd = manual.contiguous(), autograd.contiguous()
        if same_bits(manual, autograd):
            self._close(value, Standing(Verdict.EXACT, 0.0))
            return
        rho = bound(manual, autograd)
        if rho > ROUNDING and again is not None:
            rho = bound(manual, autograd, again)
        if rho <= ROUNDING:
            self._close(value, Standing(Verdict.ROUNDING, rho))
            return
        trial = Trial(manual, autograd, lambda: self._truth.at(op, value))
        if trial.suspicious:
            self._suspects[value] = trial
        else:
            self._close(value, trial.standing())

    def _loosen(self, progress: Callable[[int], bool]) -> bool:
        """See how far a rounding error more in every number carries the suspects.

        From the beginning again, if `progress` has stopped it: it only ever loosens.
        """
        for draw in range(DRAWS):
            open_cases = {v: trial for v, trial in self._suspects.items() if trial.suspicious}
            if not open_cases:
                break
            nudge = nudged(draw)
            chain = Chain(
                self._tape, self._backward, given=self._given, convert=nudge, rounding=nudge
            )
            for op in self._ops:
                chain.step(op)
                for value in self._completed[op.index]:
                    moved = chain.complete(value)
                    if moved is not None and value in open_cases:
                        open_cases[value].loosen(moved)
                chain.forget(value for value in op.results if value not in op.inputs)
                if not progress(self.done):
                    return False
        return True

    def _close(self, value: int, found: Standing) -> None:
        if found.verdict in AGREED:
            self._links.agreed.add(value)
        if found.verdict is Verdict.AMBER and set(self._isolated.values()) <= set(AGREED):
            # Every link was judged alone, and is right: what adds up along a chain is rounding.
            found = found._replace(verdict=Verdict.ROUNDING)
        if value in self._manual.derivation.unruled and found.verdict in AGREED:
            found = found._replace(verdict=Verdict.UNVERIFIED)
        self._chained[value] = found


def _completed(tape: Tape, ops: Sequence[Op]) -> Mapping[int, list[int]]:
    """Op index -> the values that no op after it, on the way back, reads."""
    first: dict[int, int] = {}
    for op in ops:
        first.update((value, op.index) for value in op.inputs if tape.values[value].requires_grad)
    completed: dict[int, list[int]] = {op.index: [] for op in ops}
    for value, index in first.items():
        completed[index].append(value)
    return completed
