"""The float64 witness: the same derivation with more digits, to measure rounding by."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from .backward import Derivation, derive, forward
from .compare import ROUNDING, Comparison, Verdict, bound, compare, same_bits
from .numeric import widen
from .tape import Backward, Op, Tape, tensors
from .visit import Convert, Visit, differentiate, incoming_of, isolate

DRAWS = 3
"""How often the inputs are moved, to see what half an eps can do."""


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
            lambda: _known(self._values(shaken(seed)).get(index) for seed in range(DRAWS)),
        )

    def cotangent(self, index: int, manual: Tensor, autograd: Tensor) -> Comparison:
        """The cotangent of a value, chained from the loss."""
        return compare(
            manual,
            autograd,
            lambda: self._truth.cotangents.get(index),
            lambda: _known(made.cotangents.get(index) for made in self._perturbed),
        )

    def isolated(self, op: Op) -> Comparison | None:
        """The worst of one op's own cotangents, its rule fed with autograd's incoming ones."""
        return Alone(self._backward, op).worst()

    def _values(self, convert: Convert) -> dict[int, Tensor]:
        with torch.no_grad():
            visits = forward(self._tape, self._backward, convert=convert, given=self._given)
        return {
            index: output
            for visit in visits
            for index, output in zip(visit.op.results, visit.outputs, strict=True)
        }

    @functools.cached_property
    def _truth(self) -> Derivation:
        return derive(self._tape, self._backward, convert=widen, given=self._given)

    @functools.cached_property
    def _perturbed(self) -> list[Derivation]:
        """Chains of which every number is nudged, those they read and those they make.

        Where terms cancel rounding errors are all there is: the bias before a batch norm has the
        gradient 0, whatever the inputs, and one of two right answers is 0 by luck.
        """
        nudges = [nudged(seed) for seed in range(DRAWS)]
        return [
            derive(self._tape, self._backward, convert=nudge, rounding=nudge, given=self._given)
            for nudge in nudges
        ]


Case = tuple[int, Tensor, Tensor]
"""A value, its cotangent by hand, and by autograd."""


class Alone:
    """One op judged by itself: its rule fed with autograd's own incoming cotangents.

    Each answer is value index -> cotangent, made when asked for: `again` by our rule from inputs
    that are moved by an ulp, `truth` by it in float64, `moved` the same from inputs that are half
    an eps off, `torch` by torch's own derivative in float64.

    Args:
        manual: the chained visit of the op, where its forward ran on the recorded inputs.
    """

    def __init__(self, backward: Backward, op: Op, manual: Visit | None = None) -> None:
        self._backward, self._op, self._manual = backward, op, manual
        self._asked = frozenset(op.inputs)
        self._moved: dict[int, dict[int, Tensor]] = {}

    def worst(self) -> Comparison | None:
        """The worst comparison over the op's inputs, None where there is none."""
        return max(
            (self._compare(*each) for each in self._cases()),
            key=lambda item: item.verdict.rank,
            default=None,
        )

    def verdict(self) -> Verdict:
        """The worst verdict over the op's inputs, float64 asked only where it is needed."""
        cases = list(self._cases())
        apart = [case for case in cases if not same_bits(*case[1:])]
        if not apart:
            return Verdict.EXACT if cases else Verdict.UNCHECKED
        apart = self._doubt((case, bound(*case[1:])) for case in apart)
        apart = self._doubt((case, bound(*case[1:], self.again.get(case[0]))) for case in apart)
        verdicts = [self._compare(*case).verdict for case in apart]
        return max((Verdict.ROUNDING, *verdicts), key=lambda verdict: verdict.rank)

    def _cases(self) -> Iterator[Case]:
        for value, manual, autograd in contributions(self._backward, self._op, self.outgoing):
            yield value, manual.contiguous(), autograd.contiguous()

    def _doubt(self, bounded: Iterable[tuple[Case, float]]) -> list[Case]:
        """The cases that may be more than rounding; whoever is asked next is asked those only."""
        doubted = [case for case, rho in bounded if rho > ROUNDING]
        self._asked = frozenset(value for value, _, _ in doubted)
        return doubted

    def _compare(self, value: int, manual: Tensor, autograd: Tensor) -> Comparison:
        return compare(
            manual,
            autograd,
            lambda: self.truth.get(value),
            lambda: _known(self.moved(draw).get(value) for draw in range(DRAWS)),
            lambda: self.torch.get(value),
        )

    @functools.cached_property
    def outgoing(self) -> tuple[Tensor | None, ...]:
        """What the rule gives for autograd's own cotangents, along the op's inputs."""
        manual = self._manual
        if manual is not None and self._came_exact(manual):
            return manual.outgoing
        return isolate(self._backward, self._op, ready=manual).outgoing

    def _came_exact(self, visit: Visit) -> bool:
        """Whether the chained cotangents arrived with the same bits as autograd's."""
        autograd = incoming_of(self._backward, self._op)
        return len(autograd) == len(visit.incoming) and all(
            same_bits(mine, theirs)
            for mine, theirs in zip(visit.incoming, autograd.values(), strict=True)
        )

    @functools.cached_property
    def again(self) -> dict[int, Tensor]:
        return self._by_rule(nudged(0))

    @functools.cached_property
    def truth(self) -> dict[int, Tensor]:
        return self._by_rule(widen)

    def moved(self, draw: int) -> dict[int, Tensor]:
        if draw not in self._moved:
            self._moved[draw] = self._by_rule(shaken(draw))
        return self._moved[draw]

    @functools.cached_property
    def torch(self) -> dict[int, Tensor]:
        """Empty where the op cannot be run in float64."""
        try:
            answer = differentiate(self._backward, self._op, convert=widen)
        except (RuntimeError, TypeError):
            return {}
        return summed(self._op, answer)

    def _by_rule(self, convert: Convert) -> dict[int, Tensor]:
        visit = isolate(self._backward, self._op, convert=convert, wanted=self._asked)
        if visit.rule is None:
            return {}
        triples = zip(self._op.inputs, visit.outgoing, tensors(visit.arguments), strict=False)
        answers = [
            torch.zeros_like(like) if given is None and value in self._asked else given
            for value, given, like in triples
        ]
        return summed(self._op, answers)


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
    """(value, manual, autograd) for each input value of an op that autograd gave a cotangent for.

    Where other ops read the value too, autograd's side is what this op alone contributed. No
    cotangent of ours is 0 beside it, unless ops that were not seen may have given it theirs.
    Where nothing came in nothing goes out, and there is nothing to compare.
    """
    given = summed(op, outgoing)
    for value in dict.fromkeys(op.inputs) if outgoing else ():
        manual, autograd = given.get(value), backward.contributions.get((op.index, value))
        if autograd is None and value not in backward.shared:
            autograd = backward.cotangents.get(value)
        if autograd is None or (manual is None and (backward.unseen or value in op.results)):
            continue
        yield value, torch.zeros_like(autograd) if manual is None else manual, autograd


def _known(found: Iterable[Tensor | None]) -> Iterator[Tensor]:
    return (tensor for tensor in found if tensor is not None)


def shaken(seed: int) -> Convert:
    """Widens, and moves every element by up to half an eps of the dtype it had."""
    generator = torch.Generator().manual_seed(seed)

    def convert(tensor: Tensor, /, *, exact: bool = False) -> Tensor:
        wide = widen(tensor)
        if exact or not (wide.is_floating_point() or wide.is_complex()):
            return wide
        half = 0.5 * torch.finfo(tensor.dtype).eps
        move = torch.rand(tensor.shape, generator=generator, dtype=torch.float64)
        return wide * (1 + half * (2 * move - 1).to(tensor.device))

    return convert


def nudged(seed: int) -> Convert:
    """Moves every number by up to half an eps and stays in the dtype: by 1 ulp, or not at all.

    The moves repeat after a prime number of elements, since random numbers cost more than rules.
    """
    generator = torch.Generator().manual_seed(seed)
    moves = 2 * torch.rand(65521, generator=generator) - 1

    def convert(tensor: Tensor, /, *, exact: bool = False) -> Tensor:
        if exact or tensor.is_nested or not (tensor.is_floating_point() or tensor.is_complex()):
            return tensor
        relative, flat = moves_of(tensor.dtype, tensor.device), tensor.reshape(-1)
        moved = torch.empty_like(flat)
        whole = flat.numel() - flat.numel() % len(moves)
        rows, rest = flat[:whole].view(-1, len(moves)), flat[whole:]
        torch.addcmul(rows, rows, relative, out=moved[:whole].view(-1, len(moves)))
        torch.addcmul(rest, rest, relative[: len(rest)], out=moved[whole:])
        return moved.view(tensor.shape)

    @functools.cache
    def moves_of(dtype: torch.dtype, device: torch.device) -> Tensor:
        return (0.5 * torch.finfo(dtype).eps * moves).to(device, dtype)

    return convert
