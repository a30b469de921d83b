"""What a custom Function gives back, beside the truth: finite differences, cell by cell."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ..binding import Arguments
from ..fallback import run_op, torch_vjp
from ..numeric import off_kinks, same_draw, seeds_of
from ..tape import Backward, Op, Tape, map_tensors, tensors

CELLS = 512
"""So many cells of an input are differenced; of a larger one those of evenly spaced rows."""
STEPS = ((1e-6, 1e-5), (1e-3, 2e-2))
"""(step, tolerance): the second is for a function that computes in float32 inside."""


@dataclass(frozen=True, eq=False)
class Answer:
    """One input of a Function: its gradient as `claimed` by the backward and the `truth`.

    All are float64, from a point near the recorded one where there is no kink.

    Attributes:
        position: which of the Function's tensors it is.
        cells: of a large input those that were looked at, rows of them, None for all; then
            `input`, `claimed` and `truth` hold these only.
        none: whether the backward returned None.
        length: of the input's last dimension.
        tolerance: up to which two numbers are the same here, relative to the largest.
    """

    position: int
    input: Tensor
    claimed: Tensor
    truth: Tensor
    none: bool
    cells: Tensor | None
    length: int
    tolerance: float

    def part(self, tensor: Tensor) -> Tensor:
        """Of a tensor like the whole input, the cells that were looked at."""
        return tensor if self.cells is None else tensor.reshape(-1)[self.cells]

    def holds_whole(self, dim: int) -> bool:
        """Whether all elements along `dim` were looked at."""
        return self.cells is None or (dim == -1 and self.cells.shape[-1] == self.length)

    def near(self, a: Tensor, b: Tensor) -> bool:
        """Whether two gradients of this input are the same."""
        size = max(float(a.abs().max()), float(b.abs().max()))
        return bool((a - b).abs().max() <= self.tolerance * max(size, 1e-300))

    @property
    def right(self) -> bool:
        """Whether the backward is right about this input."""
        return self.near(self.claimed, self.truth)


@dataclass(frozen=True, eq=False)
class Call:
    """A call of a Function as it is differenced: all in float64, off its kinks."""

    op: Op
    arguments: Arguments
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    incoming: tuple[Tensor, ...]

    @property
    def places(self) -> list[int]:
        """For every tensor, which argument of the Function it is, or is in."""
        return argument_places(self.op)

    @property
    def names(self) -> list[str]:
        """For every tensor, what forward's signature calls it."""
        return argument_names(self.op)

    def run(self, exchanged: Mapping[int, Tensor]) -> list[Tensor]:
        """The outputs, with other inputs at some positions."""
        places = iter(range(len(self.inputs)))

        def given(tensor: Tensor) -> Tensor:
            return exchanged.get(next(places), tensor)

        with same_draw():
            return run_op(self.op, *map_tensors(given, self.arguments))


def argument_places(op: Op) -> list[int]:
    """For every tensor that a Function is given, which argument it is, or is in."""
    return [place for place, part in enumerate(op.args) for _ in tensors(part)]


def argument_names(op: Op) -> list[str]:
    """For every tensor that a Function is given, what the signature of its forward calls it."""
    function: Any = op.function
    names = list(inspect.signature(inspect.unwrap(function.forward)).parameters)
    if function.setup_context is torch.autograd.Function.setup_context:
        names = names[1:]  # ctx
    places = argument_places(op)
    return [names[at] if at < len(names) else f"argument {at}" for at in places]


def call_of(backward: Backward, op: Op) -> Call:
    """The call that `op` recorded."""
    arguments = off_kinks(backward, op)
    with torch.no_grad(), same_draw():
        outputs = tuple(run_op(op, *arguments))
    incoming = tuple(seeds_of(backward, op))
    return Call(op, arguments, tuple(tensors(arguments)), outputs, incoming)


def answers(tape: Tape, call: Call) -> Iterator[Answer]:
    """What the Function's backward gave every input that requires grad, where that can be told."""
    with same_draw():
        claims = list(torch_vjp(call.op, call.arguments, call.incoming))
    for position, (value, claimed) in enumerate(zip(call.op.inputs, claims, strict=True)):
        if tape.values[value].requires_grad and call.inputs[position].numel():
            answer = _answer(call, position, claimed)
            if answer is not None and torch.isfinite(answer.truth + answer.claimed).all():
                yield answer


def _answer(call: Call, position: int, claimed: Tensor | None) -> Answer | None:
    input = call.inputs[position]
    cells = _cells(input)
    given = torch.zeros_like(input) if claimed is None else claimed
    found = _differences(call, position, cells)
    if found is None:
        return None
    length = input.shape[-1] if input.dim() else 1
    whole = Answer(position, input, given, found[0], claimed is None, cells, length, found[1])
    return replace(whole, input=whole.part(input), claimed=whole.part(given))


def _cells(input: Tensor) -> Tensor | None:
    if input.numel() <= CELLS:
        return None
    length = input.shape[-1]
    count = input.numel() // length
    rows = torch.linspace(0, count - 1, max(1, min(count, CELLS // length))).long()
    return rows[:, None] * length + torch.arange(min(length, CELLS))


def _differences(call: Call, position: int, cells: Tensor | None) -> tuple[Tensor, float] | None:
    """⟨dy, (f(x + h) − f(x − h)) / 2h⟩ for a step h in every cell, and its tolerance.

    None for a function whose own noise hides it.
    """
    input = call.inputs[position]
    cells = torch.arange(input.numel()).reshape(input.shape) if cells is None else cells
    flat = cells.reshape(-1).tolist()
    setting = next((each for each in STEPS if _steady(call, position, flat[:8], each)), None)
    if setting is None:
        return None
    step, tolerance = setting
    found = [_difference(call, position, cell, step) for cell in flat]
    return torch.tensor(found, dtype=torch.float64).reshape(cells.shape), tolerance


def _steady(call: Call, position: int, cells: Sequence[int], setting: tuple[float, float]) -> bool:
    """Whether a step of this size is above the function's own noise."""
    step, tolerance = setting
    once = torch.tensor([_difference(call, position, cell, step) for cell in cells])
    twice = torch.tensor([_difference(call, position, cell, 2 * step) for cell in cells])
    return bool((once - twice).abs().max() <= tolerance * once.abs().max())


def _difference(call: Call, position: int, cell: int, step: float) -> float:
    input = call.inputs[position]

    def at(h: float) -> list[Tensor]:
        moved = input.clone()
        moved.view(-1)[cell] += h
        return call.run({position: moved})

    step *= max(1.0, abs(float(input.reshape(-1)[cell])))
    with torch.no_grad():
        ahead, behind = at(step), at(-step)
    terms = zip(call.incoming, ahead, behind, strict=True)
    total = sum(float((dy * (a - b)).sum()) for dy, a, b in terms if a.is_floating_point())
    return total / (2 * step)
