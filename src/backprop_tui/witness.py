"""The float64 witness: the same derivation with more digits, to measure rounding by."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from .backward import (
    Convert,
    Derivation,
    Visit,
    derive,
    differentiate,
    forward,
    incoming_of,
    isolate,
)
from .compare import Comparison, compare, same_bits
from .numeric import widen
from .tape import Backward, Op, Tape

_DRAWS = 3


class Witness:
    """Judges manual results against autograd's (`compare.compare`).

    The float64 derivation and its perturbed draws are made when first asked for.
    """

    def __init__(
        self, tape: Tape, backward: Backward, given: Mapping[int, Tensor] | None = None
    ) -> None:
        self._tape, self._backward, self._given = tape, backward, given

    def value(self, index: int, manual: Tensor, torch_value: Tensor) -> Comparison:
        """A forward value, chained from the leaves."""
        return compare(
            manual,
            torch_value,
            lambda: self._values(widen).get(index),
            lambda: _known(self._values(shaken(seed)).get(index) for seed in range(_DRAWS)),
        )

    def cotangent(self, index: int, manual: Tensor, autograd: Tensor) -> Comparison:
        """The cotangent of a value, chained from the loss."""
        return compare(
            manual,
            autograd,
            lambda: self._truth.cotangents.get(index),
            lambda: _known(made.cotangents.get(index) for made in self._perturbed),
        )

    def isolated(self, op: Op, chained: Visit | None = None) -> Comparison | None:
        """The worst of one op's own cotangents, its rule fed with autograd's incoming ones.

        A `chained` visit that came with the same bits as autograd's has the answer already.
        """
        visit = chained if chained and self._came_exact(chained) else isolate(self._backward, op)
        alone = Alone(self._backward, op)
        results = [
            alone.cotangent(value, manual, autograd)
            for value, manual, autograd in contributions(self._backward, op, visit.outgoing)
        ]
        return max(results, key=lambda item: item.verdict.rank, default=None)

    def _came_exact(self, visit: Visit) -> bool:
        autograd = incoming_of(self._backward, visit.op)
        return len(autograd) == len(visit.incoming) and all(
            same_bits(mine, theirs)
            for mine, theirs in zip(visit.incoming, autograd.values(), strict=True)
        )

    def _values(self, convert: Convert) -> dict[int, Tensor]:
        with torch.no_grad():
            visits = forward(self._tape, self._backward, convert=convert, given=self._given)
        return {
            index: output
            for visit in visits
            for index, output in zip(visit.op.results, visit.outputs, strict=True)
        }

    def _derive(self, convert: Convert) -> Derivation:
        return derive(self._tape, self._backward, convert=convert, given=self._given)

    @functools.cached_property
    def _truth(self) -> Derivation:
        return self._derive(widen)

    @functools.cached_property
    def _perturbed(self) -> list[Derivation]:
        return [self._derive(shaken(seed)) for seed in range(_DRAWS)]


class Alone:
    """One op fed with autograd's own incoming cotangents, in float64, made when asked for.

    Each answer is value index -> cotangent: `truth` by our rule, `moved` the same from inputs
    that are half an eps off, `torch` by torch's own derivative.
    """

    def __init__(self, backward: Backward, op: Op) -> None:
        self._backward, self._op = backward, op

    def cotangent(self, value: int, manual: Tensor, autograd: Tensor) -> Comparison:
        """What the op gave to one of its input values."""
        return compare(
            manual,
            autograd,
            lambda: self.truth.get(value),
            lambda: _known(moved.get(value) for moved in self.moved),
            lambda: self.torch.get(value),
        )

    @functools.cached_property
    def truth(self) -> dict[int, Tensor]:
        return self._by_rule(widen)

    @functools.cached_property
    def moved(self) -> list[dict[int, Tensor]]:
        return [self._by_rule(shaken(seed)) for seed in range(_DRAWS)]

    @functools.cached_property
    def torch(self) -> dict[int, Tensor]:
        """Empty where the op cannot be run in float64."""
        try:
            answer = differentiate(self._backward, self._op, convert=widen)
        except (RuntimeError, TypeError):
            return {}
        return summed(self._op, answer)

    def _by_rule(self, convert: Convert) -> dict[int, Tensor]:
        return summed(self._op, isolate(self._backward, self._op, convert=convert).outgoing)


def summed(op: Op, outgoing: Sequence[Tensor | None]) -> dict[int, Tensor]:
    """Value index -> cotangent. An op that reads a value twice gives it the sum."""
    found: dict[int, Tensor] = {}
    for value, cotangent in zip(op.inputs, outgoing, strict=False):
        if cotangent is not None:
            before = found.get(value)
            found[value] = cotangent if before is None else before + cotangent
    return found


def contributions(
    backward: Backward, op: Op, outgoing: Sequence[Tensor | None]
) -> Iterator[tuple[int, Tensor, Tensor]]:
    """(value, manual, autograd) for each input value of an op that both gave a cotangent for.

    Where other ops read the value too, autograd's side is what this op alone contributed.
    """
    for value, cotangent in summed(op, outgoing).items():
        autograd = backward.contributions.get((op.index, value))
        if autograd is None and value not in backward.shared:
            autograd = backward.cotangents.get(value)
        if autograd is not None:
            yield value, cotangent, autograd


def _known(found: Iterable[Tensor | None]) -> Iterator[Tensor]:
    return (tensor for tensor in found if tensor is not None)


def shaken(seed: int) -> Convert:
    """Widens, and moves every element by up to half an eps of the dtype it had."""
    generator = torch.Generator().manual_seed(seed)

    def convert(tensor: Tensor) -> Tensor:
        wide = widen(tensor)
        if wide is tensor and tensor.dtype not in (torch.float64, torch.complex128):
            return tensor
        half = 0.5 * torch.finfo(tensor.dtype).eps
        move = torch.rand(tensor.shape, generator=generator, dtype=torch.float64)
        return wide * (1 + half * (2 * move - 1).to(tensor.device))

    return convert
