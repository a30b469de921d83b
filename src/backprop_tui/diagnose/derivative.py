"""Custom autograd.Functions whose backward is not the derivative of their forward."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ..compare import Verdict
from ..finding import Finding, Severity
from ..judge import Judged
from ..tape import Op, tensors
from .examined import Examined, Kept
from .patterns import SIMPLE, STRUCTURAL, Pattern, first, swapped, unknown
from .places import answer_line, code_of, saving_line, text_of
from .saved import wrong_tensor_saved
from .truth import Answer, Call, answers, argument_names, argument_places, call_of

# What says that another derivative is meant: a word about it, or a forward that has no slope.
_MEANT = re.compile(
    r"straight.?through|(?-i:STE)|\bste\b|surrogate|revers|pass.?through|estimator|quanti|spik"
    r"|approx|implicit|clip.?grad|grad.?clip|scale.?grad|grad.?scal|stop.?grad",
    re.IGNORECASE,
)
_FLAT = re.compile(r"\b(round|sign|floor|ceil|trunc|heaviside|argmax|argmin|bernoulli|one_hot)\b")


class _Explained(Kept):
    """The Functions about which all is said: a call in every step is one fault."""

    def __init__(self) -> None:
        self.functions: set[Callable[..., Any]] = set()

    def remember(self, examined: Examined) -> None:
        """What is explained was noted when it was found."""


def wrong_backward(examined: Examined) -> Iterator[Finding]:
    """A custom Function's backward.

    Every call of a custom `autograd.Function` is differenced along a random direction in float64.
    Where the backward disagrees, its gradients are differenced cell by cell (of a large input some
    rows), at a point off the kinks, with the cotangents that came in, and the two are laid side by
    side: how they differ names the fault. A backward that is meant to be no derivative
    (a forward that is the identity or has no slope, a straight-through estimator) is a note.
    """
    for judged in examined.judged:
        for op in judged.ops:
            if _suspicious(examined, judged, op):
                try:
                    found = list(_findings(examined, judged, op))
                except (RuntimeError, TypeError):  # the function refuses float64
                    continue
                if found:
                    examined.memory.of(_Explained).functions.add(op.function)
                yield from found


def is_custom(op: Op) -> bool:
    """Whether an op is a call of somebody's own autograd.Function."""
    function = op.function
    return isinstance(function, type) and not function.__module__.startswith("torch.")


def _suspicious(examined: Examined, judged: Judged, op: Op) -> bool:
    if not is_custom(op) or op.function in examined.memory.of(_Explained).functions:
        return False
    return judged.isolated[op.index] is Verdict.DIFFERENT or _unanswered(examined, judged, op)


def _unanswered(examined: Examined, judged: Judged, op: Op) -> bool:
    """Whether an input that requires grad got none from this op."""
    given, whole = judged.backward.contributions, judged.backward.cotangents
    return any(
        examined.tape.values[value].requires_grad
        and (op.index, value) not in given
        and (value in judged.backward.shared or value not in whole)
        for value in op.inputs
    )


def _findings(examined: Examined, judged: Judged, op: Op) -> Iterator[Finding]:
    call = call_of(judged.backward, op)
    found = answers(examined.tape, call)
    wrong = [answer for answer in found if not answer.right]
    meant = [answer for answer in wrong if _meant(call, answer)]
    for answer in meant[:1]:
        yield _finding(call, answer, _SURROGATE, Severity.NOTE)
    for answer, pattern in _explained(call, [answer for answer in wrong if answer not in meant]):
        yield _finding(call, answer, pattern, Severity.ERROR)


def _explained(call: Call, wrong: Sequence[Answer]) -> Iterator[tuple[Answer, Pattern]]:
    """What is wrong with each gradient, or one thing that explains several."""
    simple = {answer: pattern for answer in wrong if (pattern := first(SIMPLE, call, answer))}
    yield from simple.items()
    rest = [answer for answer in wrong if answer not in simple]
    joint = (wrong_tensor_saved(call, rest) or swapped(call, rest)) if rest else None
    if joint is not None:
        yield rest[0], joint
        return
    for answer in rest:
        yield answer, first(STRUCTURAL, call, answer) or unknown(answer)


_SURROGATE = Pattern(
    "surrogate-gradient",
    "is not the derivative of its forward",
    "The forward is the identity or has no slope, or the code says that it is an estimator.",
    "Nothing, if a straight-through estimator, a reversal or the like is meant.",
)


def _meant(call: Call, answer: Answer) -> bool:
    """Whether a Function seems to be written to have another derivative than its forward's."""
    if not answer.truth.any():
        return True
    whole = call.inputs[answer.position]
    if any(out.shape == whole.shape and torch.equal(out, whole) for out in call.outputs):
        return True
    function: Any = call.op.function
    code = code_of(function.forward)
    forward = ast.unparse(code.tree) if code is not None else ""
    return bool(_FLAT.search(forward) or _MEANT.search(text_of(function)))


def _finding(call: Call, answer: Answer, pattern: Pattern, severity: Severity) -> Finding:
    op, name = call.op, call.names[answer.position]
    found = Finding.at(
        op,
        pattern.kind,
        severity,
        f"the gradient of {name} that {op.name}.backward gives {pattern.message}",
        pattern.why,
        pattern.fix,
    )
    if pattern.kind == "wrong-tensor-saved":
        place = saving_line(op.function)
    else:
        place = answer_line(op.function, call.places[answer.position])
    return replace(found, source=place or op.source)


_REFUSED = re.compile(
    r"Function (\w+) returned an invalid gradient at index (\d+) - "
    r"got \[(.*?)\] but expected shape compatible with \[(.*?)\]"
)


def refused_gradient(examined: Examined) -> Iterator[Finding]:
    """Gradients of the wrong shape, or too few of them.

    Autograd raises where a custom Function answers with a gradient that is not of its input's
    shape, which tells what it is, or with another number of them than forward has arguments.
    """
    yield from _miscounted(examined)
    refused = _REFUSED.search(str(examined.error or ""))
    if refused is None:
        return
    op = next((op for op in reversed(examined.tape.ops) if op.node == refused[1]), None)
    if op is None or not is_custom(op):
        return
    position, names = int(refused[2]), argument_names(op)
    got, expected = (re.sub(", ", "×", shape) for shape in refused.group(3, 4))
    others = {"×".join(map(str, tensor.shape)): name for name, tensor in _tensors(op, position)}
    kind, which = "wrong-shape", "of the wrong shape"
    if got == "×".join(reversed(expected.split("×"))):
        kind, which = "transposed-gradient", "transposed"
    elif got in others:
        kind, which = "swapped-gradients", f"perhaps that of {others[got]}"
    found = Finding.at(
        op,
        kind,
        Severity.ERROR,
        f"the gradient of {names[position]} that {op.name}.backward gives is {which}: "
        f"{got} where {names[position]} is {expected}",
        "A gradient has one element for each element of its input, and the order of forward's "
        "arguments.",
        f"Return a gradient of shape {expected} in this place.",
    )
    place = answer_line(op.function, argument_places(op)[position])
    yield replace(found, source=place or op.source)


_MISCOUNTED = re.compile(
    r"function (\w+) returned an incorrect number of gradients \(expected (\d+), got (\d+)\)"
)


def _miscounted(examined: Examined) -> Iterator[Finding]:
    """A backward that answers with another number of gradients than forward has arguments."""
    said = _MISCOUNTED.search(str(examined.error or ""))
    op = next((op for op in reversed(examined.tape.ops) if said and op.node == said[1]), None)
    if said is None or op is None or not is_custom(op):
        return
    found = Finding.at(
        op,
        "gradient-count",
        Severity.ERROR,
        f"{op.name}.backward returns {said[3]} gradients, and {op.name}.forward has {said[2]} "
        "arguments",
        "backward answers with one gradient for each argument of forward, in its order.",
        "Return None in the place of an argument that needs none: return dx, None.",
    )
    yield replace(found, source=answer_line(op.function, 0) or op.source)


def _tensors(op: Op, but: int) -> Iterator[tuple[str, Tensor]]:
    """The tensors of a call by name, without that at the position `but`."""
    pairs = zip(argument_names(op), tensors(op.args), strict=True)
    yield from (pair for position, pair in enumerate(pairs) if position != but)
