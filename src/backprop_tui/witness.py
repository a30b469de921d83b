"""The float64 witness: the same derivation with more digits, to measure rounding by."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from .backward import Convert, Derivation, Visit, derive, forward, incoming_of, isolate
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
        found = contributions(self._backward, op, visit.outgoing)
        results = []
        for value, manual, autograd in found:

            def wide(convert: Convert, value: int = value) -> Tensor | None:
                visit = isolate(self._backward, op, convert=convert)
                return next(
                    (m for v, m, _ in contributions(self._backward, op, visit.outgoing) if v == value),
                    None,
                )

            results.append(
                compare(
                    manual,
                    autograd,
                    lambda wide=wide: wide(widen),
                    lambda wide=wide: _known(wide(shaken(seed)) for seed in range(_DRAWS)),
                )
            )
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


def contributions(
    backward: Backward, op: Op, outgoing: Sequence[Tensor | None]
) -> Iterator[tuple[int, Tensor, Tensor]]:
    """(value, manual, autograd) for each input value of an op that both gave a cotangent for.

    An op that reads a value twice gives it the sum. Where other ops read it too, autograd's
    side is what this op alone contributed.
    """
    manual: dict[int, Tensor] = {}
    for value, cotangent in zip(op.inputs, outgoing, strict=False):
        if cotangent is not None:
            before = manual.get(value)
            manual[value] = cotangent if before is None else before + cotangent
    for value, cotangent in manual.items():
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
