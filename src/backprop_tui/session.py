"""A sequence of training steps, and exact travel between them."""

from __future__ import annotations

import random
import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from .finding import Finding
from .steps import Trace
from .tape import Backward, Op

_CACHED_TRACES = 16
_STATE_BUDGET = 256 * 2**20


@dataclass(frozen=True)
class Snapshot:
    """Everything that a training step starts from: a replay from here gives the same bits."""

    model: dict[str, Any]
    optimizer: dict[str, Any]
    training: dict[str, bool]
    torch_rng: Any
    numpy_rng: Any
    python_rng: Any

    @classmethod
    def take(cls, model: nn.Module, optimizer: Optimizer) -> Snapshot:
        return cls(
            deepcopy(model.state_dict()),
            deepcopy(optimizer.state_dict()),
            {name: module.training for name, module in model.named_modules()},
            torch.get_rng_state(),
            np.random.get_state(),
            random.getstate(),
        )

    def restore(self, model: nn.Module, optimizer: Optimizer) -> None:
        model.load_state_dict(self.model)
        optimizer.load_state_dict(deepcopy(self.optimizer))
        for name, module in model.named_modules():
            module.training = self.training[name]
        torch.set_rng_state(self.torch_rng)
        np.random.set_state(self.numpy_rng)
        random.setstate(self.python_rng)

    @property
    def nbytes(self) -> int:
        """Bytes of the model's state; the optimizer's is counted as much again."""
        return 2 * int(sum(tensor.nbytes for tensor in self.model.values()))


class Optimizer(Protocol):
    """What of an optimizer a snapshot needs; torch.optim's have it."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any], /) -> None: ...


class Session(ABC):
    """What the screen debugs: training steps that can be visited in any order.

    Attributes:
        title: what is being debugged.
        iterations: the last iteration there is (the first is 1).
        losses: iteration -> loss, for those visited.
        begin: the iteration to open at; `first` the first that can still be visited.
    """

    title: str
    iterations: int
    losses: dict[int, float]
    begin: int = 1
    first: int = 1

    @abstractmethod
    def trace(self, iteration: int) -> Trace:
        """The training step of `iteration`, the same however one gets there.

        Raises:
            IndexError: if there is no such iteration.
        """

    def at_hand(self, iteration: int) -> Trace | None:
        """The trace of `iteration` if that takes no time."""
        return None

    def ahead(self, iteration: int) -> Trace | None:
        """Have the trace of `iteration` at hand, before it is asked for, if that is cheap."""
        return None

    @abstractmethod
    def run_to(self, iteration: int, progress: Callable[[int], bool] = lambda _: True) -> int:
        """Make ready for `trace(iteration)`, which may take long.

        Args:
            progress: told each iteration that is reached; it answers False to stop there.

        Returns:
            The iteration that was reached.
        """

    def judge(
        self, iteration: int, progress: Callable[[int, int], bool] = lambda done, total: True
    ) -> Trace:
        """The trace of `iteration` with nothing pending, which may take long.

        Args:
            progress: told how many ops of how many are judged; it answers False to stop
                there, and what is judged by then is in the trace.
        """
        return self.trace(iteration)

    def findings(self, trace: Trace) -> Sequence[Finding]:
        """What is wrong with a training step, as far as it is judged; the worst first."""
        return ()

    def call_of(self, finding: Finding, trace: Trace) -> int | None:
        """The op of this trace that a finding is about; None for none, or for another step's."""
        return None

    def ledger(self, trace: Trace) -> Sequence[tuple[str, str]]:
        """What is in each `.grad` after this step, line by line; empty where that is not kept."""
        return ()

    def into(self, trace: Trace, group: int) -> Trace | None:
        """One op of a trace, line by line; None where its lines are there already."""
        return None

    def called(self, iteration: int, call: int) -> tuple[Backward, Op] | None:
        """An op by its number on the tape, and the backward pass through it; None without one."""
        return None


class Training(Session):
    """A session that trains a model, forwards and back.

    A step is `train`ed plainly on the way and recorded by `record` where it is looked at;
    both start from the same snapshot and compute the same bits. Snapshots are thinned out
    evenly when they outgrow their budget, and the steps between are run again. One thread at a
    time computes; traces that are at hand are had without waiting for it.
    """

    def __init__(self, model: nn.Module, optimizer: Optimizer) -> None:
        self.model, self.optimizer = model, optimizer
        self.losses = {}
        self._snapshots = {1: Snapshot.take(model, optimizer)}
        self._stride = 1
        self._next = 1  # the iteration that the model stands before
        self._traces: OrderedDict[int, Trace] = OrderedDict()
        self._computing = threading.RLock()
        self._unseen = False  # whether what is computed is ahead of what was asked for

    @abstractmethod
    def train(self, iteration: int) -> float:
        """Run one training step on the model as it stands, and return its loss."""

    @abstractmethod
    def record(self, iteration: int) -> Trace:
        """Run the training step of `iteration`, recorded, and walk it."""

    def trace(self, iteration: int) -> Trace:
        if not 1 <= iteration <= self.iterations:
            raise IndexError(f"no iteration {iteration}: there are 1 to {self.iterations}")
        trace = self._traces.get(iteration) or self._compute(iteration)
        self.losses[iteration] = trace.loss
        return trace

    def _compute(self, iteration: int) -> Trace:
        with self._computing:
            if iteration not in self._traces:
                self._traces[iteration] = self.record(iteration)
                if len(self._traces) > _CACHED_TRACES:
                    self._traces.popitem(last=False)
            return self._traces[iteration]

    def at_hand(self, iteration: int) -> Trace | None:
        return self.trace(iteration) if iteration in self._traces else None

    def ahead(self, iteration: int) -> Trace | None:
        """Compute a trace and leave everything else as it was: model, random numbers, losses."""
        if not 1 <= iteration <= self.iterations:
            return None
        with self._computing:
            before, here = Snapshot.take(self.model, self.optimizer), self._next
            self._unseen = True
            try:
                return self._compute(iteration)
            finally:
                self._unseen = False
                before.restore(self.model, self.optimizer)
                self._next = here

    def run_to(self, iteration: int, progress: Callable[[int], bool] = lambda _: True) -> int:
        with self._computing:
            if self._next != iteration:
                start = max(known for known in self._snapshots if known <= iteration)
                if not start <= self._next <= iteration:
                    self._snapshots[start].restore(self.model, self.optimizer)
                    self._next = start
            while self._next < iteration:
                self.arrive(self._next + 1, self.train(self._next))
                if not progress(self._next):
                    break
            return self._next

    def arrive(self, iteration: int, loss: float) -> None:
        """The model now stands before `iteration`; the step before it had this loss."""
        self._next = iteration
        if self._unseen:
            return
        self.losses[iteration - 1] = loss
        if iteration not in self._snapshots and (iteration - 1) % self._stride == 0:
            self._snapshots[iteration] = Snapshot.take(self.model, self.optimizer)
            self._thin_out()

    def _thin_out(self) -> None:
        size = self._snapshots[1].nbytes
        while len(self._snapshots) > 2 and len(self._snapshots) * size > _STATE_BUDGET:
            self._stride *= 2
            self._snapshots = {
                number: kept
                for number, kept in self._snapshots.items()
                if (number - 1) % self._stride == 0
            }
