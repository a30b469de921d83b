"""A running program -> its training steps, a tape each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

import torch
from torch import nn

from . import private
from .calls import Called
from .patches import engine_runs
from .recorder import Recorder
from .tape import Tape, tensors
from .taping import Taping


class Stepper(Recorder):
    """Records a program and cuts it into training steps.

    A step ends where the next begins: at the first differentiable op after a backward pass, so
    that forward, loss, backward and update are all on it. A backward pass that creates a
    graph ends none: what comes after is made of its gradients.

    Args:
        on_begin: told that a step begins; `on_step` that one has ended, with its tape;
            `on_backward` that a backward pass has. What they raise goes through the program.
        model: names what is recorded; others that are met do so too.
        inside: whether to record what runs in the module of this path.
        new_tape: makes the tapes.
    """

    def __init__(
        self,
        on_step: Callable[[Tape], None],
        *,
        on_begin: Callable[[], None] = lambda: None,
        on_backward: Callable[[], None] = lambda: None,
        model: nn.Module | None = None,
        inside: Callable[[str], bool] | None = None,
        new_tape: Callable[[], Tape] = Tape,
    ) -> None:
        super().__init__(model, new_tape(), discover=True)
        self._on_step, self._on_begin, self._on_backward = on_step, on_begin, on_backward
        self._inside, self._new_tape = inside, new_tape
        self._whole = False  # whether a step has begun; what comes before is dropped
        self._differentiating = False
        self._retired = False

    def so_far(self) -> Tape:
        """The step under way as a tape of its own."""
        tape = self._new_tape()
        self._fill(tape)
        return tape

    def finish(self) -> None:
        """The program has ended, and with it the step under way."""
        if self._whole and not self._retired and self._taping.backwards:
            self._end()

    def retire(self) -> None:
        """Look at nothing any more, and leave as soon as torch lets a mode go.

        While a handler runs, torch holds its mode, to put it back afterwards.
        """
        self._retired = True

    def leave(self) -> bool:
        """Whether it has retired; called where no handler runs, it leaves for good."""
        if self._retired and self._depth:
            with private.modes_without(self):
                private.push(self)  # for the exit to pop
                self.__exit__(None, None, None)
        return self._retired

    def wake(self, whole: bool) -> None:
        """Look, from the next step on, or from here if that is where a step begins."""
        self._retired, self._whole = False, whole
        self._taping = Taping(self._names, self._inside is None)
        if not self._depth:
            self._modules.clear()
            # Below every mode of the program's own, which it is going to pop itself.
            with private.modes_without(self):
                self.__enter__()

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if self._retired:
            return func(*args, **(kwargs or {}))
        return super().__torch_function__(func, types, args, kwargs)

    def _call(
        self,
        known: Called,
        run: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> Any:
        if self._inside is not None and not self._inside(self._where().module):
            return run(*args, **kwargs)
        if not self._may_begin(args, kwargs):
            return super()._call(known, run, args, kwargs)
        # Whether the op is differentiable shows when it has run; by then it may have written to
        # what it read, so that is kept on a new tape, which only a new step makes use of.
        self._names.refresh()
        following = Taping(self._names, self._inside is None)
        call = following.before(known, args, kwargs)
        output = self._run(run, args, kwargs)
        if any(tensor.grad_fn is not None for tensor in tensors(output)):
            self._next(following)
        else:
            call = self._taping.before(known, args, kwargs)
        self._taping.after(call, output, self._where)
        return output

    def _may_begin(self, args: Any, kwargs: Any) -> bool:
        """Whether a step would begin with this call, if it should be differentiable."""
        backwards = self._taping.backwards
        return (
            (not self._whole or bool(backwards and not backwards[-1].creates_graph))
            and not self._differentiating
            and torch.is_grad_enabled()
            and any(tensor.requires_grad for tensor in tensors((args, kwargs)))
        )

    def _next(self, taping: Taping) -> None:
        if self._whole:
            self._end()
        self._whole, self._taping = True, taping
        self._on_begin()

    def _end(self) -> None:
        tape = self.so_far()
        self._taping.forget()
        self._whole = False
        with private.apart():
            self._on_step(tape)

    def _differentiate(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        outermost, self._differentiating = not self._differentiating, True
        try:
            result = super()._differentiate(func, args, kwargs)
        finally:
            self._differentiating = not outermost
        if outermost and self._whole:
            with private.apart():
                self._on_backward()
        return result

    def as_if(self, loss: torch.Tensor) -> Tape:
        """The step under way, as it would be if `loss` were differentiated here.

        No `.grad` changes and the graph stays; hooks of the program's own do run.
        """
        leaves = self._taping.leaves()
        arguments = {"retain_graph": True, "allow_unused": True}
        before = len(self._taping.backwards)
        super()._differentiate(torch.autograd.grad, (loss, leaves), arguments)
        tape = self.so_far()
        del self._taping.backwards[before:]
        return tape

    def _enter_module(self, module: Any, args: Any) -> None:
        if not self.leave():
            super()._enter_module(module, args)

    def _before_step(self, optimizer: Any, args: Any, kwargs: Any) -> Any:
        return None if self.leave() else super()._before_step(optimizer, args, kwargs)

    def _watches(self) -> bool:
        return not self.leave()


class Pace:
    """Records the steps of a program that are wanted, and leaves it alone in between.

    Args:
        wanted: whether to record the step of this number, from 1.
        on_step: told of every recorded step, with its number; `on_backward` of every backward
            pass in one, with its number and the tape so far.
        options: of the `Stepper`.
    """

    def __init__(
        self,
        wanted: Callable[[int], bool],
        on_step: Callable[[int, Tape], None],
        on_backward: Callable[[int, Stepper], None] = lambda number, stepper: None,
        **options: Any,
    ) -> None:
        self.number = 0
        self._wanted, self._on_step = wanted, on_step
        self._stepper = Stepper(
            lambda tape: on_step(self.number, tape),
            on_begin=self._begun,
            on_backward=lambda: on_backward(self.number, self._stepper),
            **options,
        )
        self._asleep = True
        self._counted = False  # whether `number` is that of the step under way already
        self._sequence = -1  # autograd's next number after the last backward pass
        self._differentiating = False
        self._engine = engine_runs(self._engine_ran)

    def __enter__(self) -> Pace:
        self._engine.__enter__()
        if self._wanted(1):
            self.number = 1
            self._wake(whole=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._engine.__exit__(kind, error, where)
        self._stepper.retire()
        self._stepper.leave()

    @property
    def stepper(self) -> Stepper | None:
        """What records, None while nothing does."""
        return None if self._asleep else self._stepper

    def finish(self) -> None:
        """The program has ended."""
        if not self._asleep:
            self._stepper.finish()

    def _wake(self, whole: bool) -> None:
        self._asleep = False
        self._stepper.wake(whole)

    def _begun(self) -> None:
        self.number += 1
        self._counted = True
        if not self._wanted(self.number):
            self._asleep = True
            self._stepper.retire()

    def _engine_ran(self, run: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """A backward pass: while nothing is recorded, it is what tells that steps go by."""
        if not self._asleep or self._differentiating:
            return run(*args, **kwargs)
        if not self._counted and private.next_sequence_number() != self._sequence:
            self.number += 1
        self._differentiating = True
        try:
            result = run(*args, **kwargs)
        finally:
            self._differentiating = False
        self._counted, self._sequence = False, private.next_sequence_number()
        if self._wanted(self.number + 1):
            self._wake(whole=False)
        return result
