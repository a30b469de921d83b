"""How a wrong gradient is wrong: what a Function's backward gave, laid against the truth.

Each pattern answers None where it does not fit, else what is to be said of the gradient. They
are asked in order, and the first that fits is taken: the sharper ones come first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .truth import Answer, Call


@dataclass(frozen=True)
class Pattern:
    """What is amiss with a gradient; `message` goes on from "the gradient of x that … gives"."""

    kind: str
    message: str
    why: str
    fix: str


def missing_gradient(call: Call, answer: Answer) -> Pattern | None:
    """None, or zeros, for an input that the output depends on."""
    if answer.claimed.any():
        return None
    given = "None" if answer.none else "zeros"
    size = float(answer.truth.abs().max())
    return Pattern(
        "missing-gradient",
        f"is {given}, where the true one reaches {size:.3g}",
        "The output depends on this input, which asks for a gradient: without it nothing "
        "upstream learns.",
        "Return its gradient in this place, as long as ctx.needs_input_grad asks for it.",
    )


def wrong_factor(call: Call, answer: Answer) -> Pattern | None:
    """The right gradient times a constant."""
    claimed, truth = answer.claimed, answer.truth
    factor = float((claimed * truth).sum() / truth.square().sum())
    if not answer.near(claimed, factor * truth) or abs(factor - 1) <= answer.tolerance:
        return None
    name = _named(factor, call, answer)
    if _broadcast(call, answer) and math.isclose(factor, 1 / _copies(call, answer), rel_tol=1e-4):
        return Pattern(
            "mean-for-sum",
            f"is {name} of the true one: the mean over the {_copies(call, answer)} copies that "
            "broadcasting makes of it",
            "Each copy has its own effect on the loss, and the effects add up.",
            "Sum the gradient over the dimensions that were broadcast: .sum(dim), not .mean(dim).",
        )
    return Pattern(
        "wrong-factor",
        f"is {name} times the true one, in every element",
        "The direction is right, so training seems to work, with another learning rate for "
        "everything upstream of this op than for the rest.",
        f"Divide the gradient by {name}, that is, multiply it by {1 / factor:.4g}.",
    )


def missing_mask(call: Call, answer: Answer) -> Pattern | None:
    """Right where a gradient flows, and something where none should."""
    stopped = answer.truth.abs() <= answer.tolerance * answer.truth.abs().max()
    through = stopped & (answer.claimed != 0)
    passing = torch.where(stopped, 0.0, answer.claimed)
    if not answer.near(passing, answer.truth) or not through.any():
        return None
    if (stopped & ~through).sum() > 0.1 * stopped.sum():
        return None  # a mask of another kind, which may be meant
    return Pattern(
        "missing-mask",
        f"lets {int(through.sum())} of {through.numel()} elements through where the true one is 0; "
        "the others are right",
        "Where the forward is flat, a small change of the input changes nothing: no gradient.",
        "Multiply by the mask of the forward pass, as in dy * (x > 0), or set those elements to 0.",
    )


def last_occurrence(call: Call, answer: Answer) -> Pattern | None:
    """Assigned where it should add up: of repeated indices one alone counts."""
    if answer.cells is not None or answer.input.dim() == 0:
        return None
    wrong = (answer.claimed - answer.truth).abs() > answer.tolerance * answer.truth.abs().max()
    for index in call.inputs:
        if index.dtype is not torch.int64 or not index.numel():
            continue
        for dim in range(answer.input.dim()):
            if int(index.max()) >= answer.input.shape[dim] or int(index.min()) < 0:
                continue
            counts = torch.bincount(index.reshape(-1), minlength=answer.input.shape[dim])
            shape = [-1 if d == dim else 1 for d in range(answer.input.dim())]
            repeated = (counts > 1).reshape(shape).expand_as(wrong)
            if wrong.any() and not (wrong & ~repeated).any():
                most = int(counts.argmax())
                return Pattern(
                    "last-occurrence-wins",
                    f"is right except for the {int((counts > 1).sum())} indices that occur more "
                    f"than once: index {most} occurs {int(counts[most])} times",
                    "An assignment grad[index] = dy keeps the last of repeated indices, "
                    "while their gradients add up.",
                    "Accumulate: grad.index_add_(dim, index, dy), or "
                    "index_put_(…, accumulate=True).",
                )
    return None


def transposed(call: Call, answer: Answer) -> Pattern | None:
    """The right gradient, rows for columns."""
    square = answer.truth.dim() == 2 and answer.truth.shape[0] == answer.truth.shape[1]
    if answer.cells is not None or not square or not answer.near(answer.claimed, answer.truth.T):
        return None
    return Pattern(
        "transposed-gradient",
        "is the transpose of the true one: {}×{}".format(*answer.truth.shape),
        "A square matrix hides it: of another shape autograd would refuse the gradient.",
        "Transpose it: for y = x @ W it is x.T @ dy, for y = x @ W.T it is dy.T @ x.",
    )


def missing_projection(call: Call, answer: Answer) -> Pattern | None:
    """The truth lies in a hyperplane, row by row, and what was given does not."""
    for said, weight in (("sums to 0", 1.0), ("is at right angles to the input", answer.input)):
        for dim in range(answer.truth.dim()) if answer.cells is None else (-1,):
            if answer.truth.shape[dim] < 2 or not answer.holds_whole(dim):
                continue
            true, given = (_off(part * weight, dim) for part in (answer.truth, answer.claimed))
            if true <= 1e-4 and given > 1e-2:
                effect = "adding a constant to" if said == "sums to 0" else "scaling"
                return Pattern(
                    "missing-projection",
                    f"is off by {given:.0%} of its size along dim {dim % answer.truth.dim()}, "
                    f"where the true one {said}",
                    f"The output does not change on {effect} a row, so the gradient has no "
                    "part in that direction: a term that takes it out is missing.",
                    "Subtract that part: softmax has y * (dy − (dy * y).sum(dim, keepdim=True)), "
                    "a mean or a norm the like.",
                )
    return None


Fits = Callable[[Call, Answer], Pattern | None]

SIMPLE: tuple[Fits, ...] = (missing_gradient, wrong_factor, missing_mask)
"""What is certain at sight."""
STRUCTURAL: tuple[Fits, ...] = (last_occurrence, transposed, missing_projection)
"""What a wrong tensor, saved or returned, may look like too."""


def first(patterns: Sequence[Fits], call: Call, answer: Answer) -> Pattern | None:
    """The first pattern that fits."""
    return next(filter(None, (fits(call, answer) for fits in patterns)), None)


def swapped(call: Call, wrong: Sequence[Answer]) -> Pattern | None:
    """Two gradients, each in the place of the other."""
    if len(wrong) != 2 or wrong[0].truth.shape != wrong[1].truth.shape:
        return None
    one, other = wrong
    if not one.near(one.claimed, other.truth) or not other.near(other.claimed, one.truth):
        return None
    return Pattern(
        "swapped-gradients",
        f"is that of {call.names[other.position]}, and the other way round",
        "backward answers in the order of forward's arguments; of one shape, nobody notices.",
        "Return the gradients in the order of forward's arguments.",
    )


def unknown(answer: Answer) -> Pattern:
    """A gradient that is wrong in none of these ways."""
    gap = (answer.claimed - answer.truth).abs()
    at = int(gap.argmax())
    claimed, true = (float(part.reshape(-1)[at]) for part in (answer.claimed, answer.truth))
    wrong = int((gap > answer.tolerance * answer.truth.abs().max()).sum())
    return Pattern(
        "wrong-derivative",
        f"is wrong in {wrong} of {gap.numel()} elements, most at {_place(at, answer)}: "
        f"{claimed:.4g} in place of {true:.4g}",
        "Finite differences of the forward pass, in float64, give another gradient.",
        "Derive it again: a term may be missing, such as one half of a product's derivative.",
    )


def _off(weighted: Tensor, dim: int) -> float:
    """How far sums over `dim` are from 0, relative to the terms."""
    sums, sizes = weighted.sum(dim).abs(), weighted.abs().sum(dim)
    return float(sums.max() / sizes.max()) if sizes.any() else 0.0


def _copies(call: Call, answer: Answer) -> int:
    return call.outputs[0].numel() // max(call.inputs[answer.position].numel(), 1)


def _broadcast(call: Call, answer: Answer) -> bool:
    """Whether the input is spread over a larger output, element by element."""
    shape, out = call.inputs[answer.position].shape, call.outputs[0].shape
    pairs = zip(reversed(shape), reversed(out), strict=False)
    return _copies(call, answer) > 1 and all(size in (1, length) for size, length in pairs)


def _place(at: int, answer: Answer) -> list[int]:
    shape = answer.truth.shape
    return [int(i) for i in torch.unravel_index(torch.tensor(at), shape)]


def _named(factor: float, call: Call, answer: Answer) -> str:
    """A factor with where it comes from: "−1", "1/8 (1/batch)", "1.25 (1/(1−p))"."""
    for number, name in _candidates(call, answer):
        for value, said in (
            (number, name),
            (1 / number, f"1/({name})" if "−" in name else f"1/{name}"),
        ):
            if math.isclose(abs(factor), value, rel_tol=1e-4):
                return f"{_fraction(factor)} ({said})"
    return _fraction(factor)


def _candidates(call: Call, answer: Answer) -> Iterator[tuple[float, str]]:
    """What a call has that may stand as a factor, with its name."""
    for argument in (*call.op.args, *call.op.kwargs.values()):
        if isinstance(argument, float) and 0 < argument < 1:
            yield 1 - argument, "1−p"
            yield argument, "p"
    shape = call.inputs[answer.position].shape
    if shape and shape[0] > 2:
        yield float(shape[0]), "batch"
    if math.prod(shape) > 2:
        yield float(math.prod(shape)), "elements"


def _fraction(factor: float) -> str:
    """2, −1, 1/8, 0.37."""
    sign, size = "−" if factor < 0 else "", abs(factor)
    for text, number in ((f"{size:.0f}", size), (f"1/{1 / size:.0f}", 1 / size)):
        if number >= 0.5 and math.isclose(number, round(number), rel_tol=1e-4):
            return sign + text
    return f"{sign}{size:.4g}"
