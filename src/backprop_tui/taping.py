"""One tape while it is written: ops as they are called, backward passes, updates, events."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from . import calls
from .compare import same_bits
from .frames import source
from .gradients import capture, dense
from .modules import Modules
from .ops import Ops
from .private import snapshot, unseen
from .tape import Backward, Event, Tape, Update, map_tensors, tensors


class Taping(Ops):
    """Writes what happens onto a tape, in order.

    Args:
        names: what parameters, buffers and other leaves are called.
        whole: whether the program is recorded as a whole, not some of its modules.
    """

    def __init__(self, names: Modules, whole: bool = True) -> None:
        super().__init__(names, whole)
        self.backwards: list[Backward] = []
        self._updates: list[Update] = []
        self._events: list[Event] = []
        self._hooked: set[int] = set()  # values with a hook of the user's
        self._replaced: set[int] = set()  # values whose gradient such a hook replaced
        self.stepping: list[tuple[Update, Tensor]] = []  # while an optimizer is at work
        self._names = names

    def fill(self, tape: Tape) -> None:
        """Put everything so far on `tape`."""
        tape.ops = tuple(self.ops)
        tape.values = self._identities.named()
        tape.backwards = tuple(self.backwards)
        tape.updates = tuple(self._updates)
        tape.events = tuple(self._events)

    def forget(self) -> None:
        """Let go of every node and tensor of the user's: nothing more will be written."""
        self._identities.forget()

    def leaves(self) -> list[Tensor]:
        """The leaves that require grad, as the program holds them."""
        return self._identities.leaves()

    # Backward passes.

    def differentiate(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """Let the user's backward run under hooks that keep what autograd computes."""
        with unseen():
            given = tuple(tensors(args[0] if args else kwargs.get("outputs", kwargs)))
            roots = tuple(self.read(root) for root in given)
            seeds = tuple(
                torch.ones_like(root) if seed is None else snapshot(seed)
                for root, seed in zip(given, calls.seeds(func, args, kwargs, given), strict=False)
            )
        after, where, number = len(self.ops), source(), len(self.backwards)
        leftover = {} if func is torch.autograd.grad else self._identities.gradients()
        around, self._replaced = self._replaced, set()
        with self._captured(given, _by_root(roots, seeds)) as captured:
            try:
                result = func(*args, **kwargs)
            except RuntimeError:
                self.event("backward", given)
                raise
            if func is torch.autograd.grad:
                # It answers, and runs no hook of the leaves that it is asked for.
                asked = tensors(args[1] if len(args) > 1 else kwargs["inputs"])
                for tensor, answer in zip(asked, result, strict=True):
                    if answer is not None:
                        captured["cotangents"][self.read(tensor)] = snapshot(answer)
        self.backwards.insert(  # before those that ran inside it
            number,
            Backward(
                roots,
                seeds,
                after=after,
                replaced=frozenset(self._replaced),
                leftover=leftover,
                creates_graph=calls.creates_graph(func, args, kwargs),
                source=where,
                **captured,
            ),
        )
        self._replaced = around
        return result

    @contextmanager
    def _captured(
        self, roots: Sequence[Tensor], seeds: Mapping[int, Tensor]
    ) -> Iterator[dict[str, Any]]:
        hooked = self._hooked.union(self._identities.hooked())
        with capture(self._graph, self._identities, roots, hooked, seeds) as captured:
            yield vars(captured)
        # A parameter's hook may have been registered before this tape began.
        for value in self._identities.hooked():
            parts = [part for (_, v), part in captured.contributions.items() if v == value]
            whole = captured.cotangents.get(value)
            if whole is not None and parts and not same_bits(sum(parts[1:], parts[0]), whole):
                self._replaced.add(value)

    def hook(self, tensor: Tensor, hook: Callable[[Tensor], Tensor | None]) -> Any:
        """Register the user's hook, and notice when it replaces a gradient."""
        self.event("hook", (tensor,))
        value = self.read(tensor)
        self._hooked.add(value)

        def noticed(grad: Tensor) -> Tensor | None:
            answer = hook(grad)
            if answer is not None:
                self._replaced.add(value)
            return answer

        return tensor.register_hook(noticed)

    # Updates and events.

    def before_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Keep what an optimizer is about to change."""
        held = [p for group in optimizer.param_groups for p in group["params"]]
        self.event("step", held)
        for group in optimizer.param_groups:
            options = {key: item for key, item in group.items() if key != "params"}
            for param in group["params"]:
                if param.grad is None:
                    continue
                value = self.read(param)
                update = Update(
                    optimizer=type(optimizer),
                    value=value,
                    name=self._names.name(param),
                    before=snapshot(param),
                    grad=dense(param.grad),
                    after=param,
                    options=options,
                    state=map_tensors(snapshot, dict(optimizer.state.get(param, {}))),
                    backwards=len(self.backwards),
                )
                self.stepping.append((update, param))

    def after_step(self) -> None:
        """Keep what it made of them."""
        for update, param in self.stepping:
            self._updates.append(replace(update, after=snapshot(param)))
        self.stepping.clear()

    def event(
        self,
        kind: str,
        touched: Sequence[Tensor],
        assigned: Any = None,
        limit: float = math.inf,
        order: float = math.nan,
    ) -> None:
        """Note what the program does to tensors without computing."""
        with unseen():
            values = tuple(self.seen(tensor) for tensor in touched)
        self._events.append(
            Event(
                kind,
                values,
                len(self.ops),
                len(self.backwards),
                source(),
                snapshot(assigned) if isinstance(assigned, Tensor) else None,
                limit,
                order,
            )
        )
        if kind == "data=" and assigned.dtype != touched[0].dtype:
            self._identities.release(touched[0])  # autograd gives it another gradient edge


def _by_root(roots: Sequence[int], seeds: Sequence[Tensor]) -> dict[int, Tensor]:
    """What a backward starts with at each value; one that is a root twice has the sum."""
    found: dict[int, Tensor] = {}
    for root, seed in zip(roots, seeds, strict=False):
        found[root] = seed if root not in found else found[root] + seed
    return found
