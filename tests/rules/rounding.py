"""One call in float32: does its rule stay within rounding of autograd?

The ruler is the program's own (`compare`): the rule once more in float64, from the same numbers
and from numbers that are half an eps off.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_map

from backprop_tui.compare import Verdict, compare
from backprop_tui.numeric import widen
from backprop_tui.rules.registry import Rule
from backprop_tui.witness import DRAWS, shaken
from tests.rules.oracle import Function, autograd_side, cotangent_difference, rule_side

Convert = Callable[[Tensor], Tensor]
Answers = tuple[list[Tensor], list[Tensor | None]]  # outputs, gradient of each input


class Trial:
    """One call, answered by both sides in any precision."""

    def __init__(self, rule: Rule, function: Function, args: Any, kwargs: Any) -> None:
        self.rule, self.function, self.call = rule, function, (args, kwargs)
        outputs, self.cotangents, gradients = autograd_side(function, args, kwargs)
        self.inputs = [tensor for tensor, _ in gradients]
        self.torch: Answers = outputs, [gradient for _, gradient in gradients]
        self.truth = functools.cache(lambda: self.by_rule(widen))
        self.moved = functools.cache(lambda draw: self.by_rule(shaken(draw)))

    def complaint(self) -> str:
        """The first output or gradient that is beyond rounding, or an empty string."""
        if not self.inputs:
            return ""
        ours = self.by_rule(lambda tensor: tensor)
        for part, what in enumerate(("output", "gradient")):
            for number, pair in enumerate(zip(ours[part], self.torch[part], strict=True)):
                if wrong := self.judged(*pair, part, number):
                    return f"{what} {number}: {wrong}"
        return ""

    def judged(self, ours: Any, theirs: Any, part: int, number: int) -> str:
        if ours is None or theirs is None or ours.shape != theirs.shape:
            return cotangent_difference(ours, theirs, self.inputs[number], 0.0)
        if ours.dtype != theirs.dtype:
            return f"{ours.dtype}, torch {theirs.dtype}"
        found = compare(
            ours,
            theirs.detach(),
            lambda: self.truth()[part][number],
            lambda: _known(self.moved(draw)[part][number] for draw in range(DRAWS)),
            lambda: self.by_autograd()[part][number],
        )
        good = found.verdict in (Verdict.EXACT, Verdict.ROUNDING)
        return "" if good else f"{found.verdict}, ρ = {found.rho:.3g}"

    def by_rule(self, convert: Convert) -> Answers:
        args, kwargs, inputs = self.converted(convert)
        cotangents = [convert(c).conj() for c in self.cotangents]
        outputs, found = rule_side(self.rule, args, kwargs, cotangents)
        answers = [next(c for _, t, c in found if t is tensor) for tensor in inputs]
        return outputs, [c if c is None else c.conj().resolve_conj() for c in answers]

    def by_autograd(self) -> Answers:
        """Torch's own answers in float64."""
        args, kwargs, _ = self.converted(widen)
        wide = [widen(c) for c in self.cotangents]
        outputs, _, gradients = autograd_side(self.function, args, kwargs, wide)
        return [y.detach() for y in outputs], [gradient for _, gradient in gradients]

    def converted(self, convert: Convert) -> tuple[Any, Any, list[Tensor]]:
        """The call with its numbers converted, and its inputs among them."""
        made: dict[int, Tensor] = {}

        def one(leaf: Any) -> Any:
            if not isinstance(leaf, Tensor):
                return leaf
            if id(leaf) not in made:
                made[id(leaf)] = convert(leaf.detach()).requires_grad_(leaf.requires_grad)
            return made[id(leaf)]

        args, kwargs = tree_map(one, self.call)
        return args, kwargs, [made[id(tensor)] for tensor in self.inputs]


def _known(found: Iterable[Tensor | None]) -> Iterator[Tensor]:
    return (tensor for tensor in found if tensor is not None)


def complaint(rule: Rule, function: Function, args: Any, kwargs: Any) -> str:
    """What of this call is beyond rounding, or an empty string."""
    return Trial(rule, function, args, kwargs).complaint()
