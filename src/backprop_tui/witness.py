"""The float64 witness: the same derivation with more digits, to measure rounding by."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor

from .backward import Convert, Derivation, derive, isolate
from .compare import Comparison, compare
from .tape import Backward, Op, Tape

_DRAWS = 3


class Witness:
    """Judges manual results of a chained derivation against autograd's (`compare.compare`).

    The float64 derivation and its perturbed draws are made when first asked for.
    """

    def __init__(self, tape: Tape, backward: Backward, given: Mapping[int, Tensor]) -> None:
        self._tape, self._backward, self._given = tape, backward, given

    def value(self, index: int, manual: Tensor, torch_value: Tensor) -> Comparison:
        """A forward value."""
        return self._compare(manual, torch_value, lambda made: made.values.get(index))

    def cotangent(self, index: int, manual: Tensor, autograd: Tensor) -> Comparison:
        """The cotangent of a value."""
        return self._compare(manual, autograd, lambda made: made.cotangents.get(index))

    def isolated(self, op: Op, consumers: Mapping[int, int]) -> Comparison | None:
        """The worst of one op's own cotangents, its rule fed with autograd's incoming ones.

        Where several ops read a value, autograd only has their sum: that value is left out.
        """
        visit = isolate(self._tape, self._backward, op)
        results = []
        for position, manual in enumerate(visit.outgoing):
            value = op.inputs[position]
            autograd = self._backward.cotangents.get(value)
            if manual is None or autograd is None or consumers[value] != 1:
                continue

            def wide(convert: Convert, position: int = position) -> Tensor | None:
                moved = isolate(self._tape, self._backward, op, convert=convert)
                return moved.outgoing[position]

            def perturbed() -> Iterator[Tensor]:
                moved = (wide(shaken(seed)) for seed in range(_DRAWS))
                return (tensor for tensor in moved if tensor is not None)

            results.append(compare(manual, autograd, lambda: wide(widen), perturbed))
        return max(results, key=lambda item: item.verdict.rank, default=None)

    def _compare(
        self, manual: Tensor, other: Tensor, pick: Callable[[Derivation], Tensor | None]
    ) -> Comparison:
        def perturbed() -> Iterator[Tensor]:
            for made in self._perturbed:
                moved = pick(made)
                if moved is not None:
                    yield moved

        return compare(manual, other, lambda: pick(self._truth), perturbed)

    def _derive(self, convert: Convert) -> Derivation:
        given = {index: convert(tensor) for index, tensor in self._given.items()}
        return derive(self._tape, self._backward, convert=convert, given=given)

    @functools.cached_property
    def _truth(self) -> Derivation:
        return self._derive(widen)

    @functools.cached_property
    def _perturbed(self) -> list[Derivation]:
        return [self._derive(shaken(seed)) for seed in range(_DRAWS)]


def widen(tensor: Tensor) -> Tensor:
    """To float64 or complex128; what is not floating stays."""
    if tensor.is_complex():
        return tensor.to(torch.complex128)
    return tensor.to(torch.float64) if tensor.is_floating_point() else tensor


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
