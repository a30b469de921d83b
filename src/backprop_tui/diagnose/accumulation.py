"""Gradients that are zeroed, clipped, added up or used in the wrong order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from torch import Tensor

from ..finding import Finding, Severity
from ..tape import Backward, Event, Tape
from .examined import Examined, Kept
from .given import near, passes_before, updates_by_hand
from .ledger import left_over
from .untrained import called
from .words import parameters

Mark = tuple[float, float]

_CLIPS = ("clip", "clip_value")


class Used(Kept):
    """The gradients that steps have used, as marks to know them by.

    Attributes:
        used: a parameter -> the mark of the gradient that it was last stepped with.
        carried: the parameters whose `.grad` still has such a gradient in it.
    """

    def __init__(self) -> None:
        self.used: dict[str, Mark] = {}
        self.carried: set[str] = set()


def forgotten_zero_grad(examined: Examined) -> Iterator[Finding]:
    """A step with gradients that were stepped with before.

    The gradient that a backward pass found in `.grad` is compared with the one that was used last,
    by an optimizer or by an update in place that reads it. If it is the same, bit for bit, and the
    sum is stepped with, every step repeats all steps before it. A gradient that was left over and
    has not been used is accumulated, which is meant.
    """
    tape, known = examined.tape, examined.memory.of(Used)
    by_hand = list(_by_hand(examined))
    for number in range(len(tape.backwards) + 1):
        stepped = [(u.value, u.grad) for u in tape.updates if u.backwards == number]
        fix = "Call optimizer.zero_grad() in every iteration before loss.backward()."
        if not stepped:
            stepped = [(value, grad) for at, value, grad in by_hand if at == number]
            fix = "Empty them once they are used: p.grad = None for every parameter p."
        repeated = []
        for value, grad in stepped:
            name = called(tape, value)
            if name in known.carried:
                repeated.append(value)
            known.used[name] = _mark(grad)
        if repeated and number:
            yield _forgotten(tape, tape.backwards[:number], repeated, fix)
        if number < len(tape.backwards):
            _carry(tape, tape.backwards[number], known)


def _by_hand(examined: Examined) -> Iterator[tuple[int, int, Tensor]]:
    """(after how many passes, parameter, its `.grad`) for the updates in place that read that."""
    tape = examined.tape
    for op, given in updates_by_hand(examined):
        value, passes = op.inputs[0], passes_before(tape, op)
        left = tape.backwards[passes - 1].leftover.get(value) if passes else None
        whole = given.total if left is None else left + given.total
        for above in examined.flow.above(op.inputs[1:]):
            read = tape.values[above]
            if read.leaf and not read.requires_grad and near(read.tensor, whole):
                yield passes, value, read.tensor
                break


def _carry(tape: Tape, backward: Backward, known: Used) -> None:
    """Whether a pass adds to what was used before, to an empty `.grad`, or goes on as before."""
    for value in backward.cotangents:
        name = called(tape, value) if tape.values[value].leaf else ""
        if name:
            left = left_over(backward, value)
            if left is None:
                known.carried.discard(name)
            elif _mark(left) == known.used.get(name):
                known.carried.add(name)


def _mark(grad: Tensor) -> Mark:
    """What a gradient is known by: its norm and its sum, in all their digits."""
    return float(grad.norm()), float(grad.sum())


def _forgotten(tape: Tape, passes: Sequence[Backward], repeated: list[int], fix: str) -> Finding:
    backward = next(each for each in reversed(passes) if repeated[0] in each.leftover)
    repeated = [value for value in repeated if value in backward.leftover]
    value = max(repeated, key=lambda v: float(backward.leftover[v].norm()))
    old, new = backward.leftover[value].norm(), backward.cotangents[value].norm()
    return Finding(
        "forgotten-zero-grad",
        Severity.ERROR,
        f"backward() adds to gradients that the last step has used: {called(tape, value)}.grad had "
        f"the norm {old:.3g}, and {new:.3g} were added; so with {parameters(tape, repeated)}",
        "backward() adds to .grad, and a step does not empty it: each step repeats all before it.",
        fix,
        backward.source,
    )


def misplaced_zero_grad(examined: Examined) -> Iterator[Finding]:
    """Gradients that are zeroed between backward and step.

    A `zero_grad` that comes after a pass and before the step that should use it, with no
    gradient left for that step.
    """
    tape = examined.tape
    for at, step in enumerate(tape.events):
        if step.kind != "step" or not step.backwards or _moves(tape, step):
            continue
        given = set(tape.backwards[step.backwards - 1].cotangents) & set(step.values)
        for zero in _between(tape, step.backwards, at, given, "zero_grad"):
            yield Finding(
                "misplaced-zero-grad",
                Severity.ERROR,
                f"zero_grad() empties the gradients of {parameters(tape, sorted(given))} "
                "after backward() and before the step, which changes nothing",
                "The step finds no gradient: what backward() computed is thrown away.",
                "Call zero_grad() before loss.backward(), or after optimizer.step().",
                zero.source,
            )


def step_before_backward(examined: Examined) -> Iterator[Finding]:
    """A step before the pass that should feed it.

    The optimizer steps without any gradient, the pass after it computes some, and `zero_grad`
    empties them before the next step.
    """
    tape = examined.tape
    for at, step in enumerate(tape.events):
        if step.kind != "step" or _moves(tape, step) or step.backwards >= len(tape.backwards):
            continue
        given = set(tape.backwards[step.backwards].cotangents) & set(step.values)
        after = [event for event in tape.events[at + 1 :] if given & set(event.values)]
        handling = [event for event in after if event.kind in ("zero_grad", "step")]
        if given and handling and handling[0].kind == "zero_grad":
            if handling[0].backwards == step.backwards:
                continue  # it empties what was there before that pass
            yield Finding(
                "step-before-backward",
                Severity.ERROR,
                f"the step finds no gradient, and those that backward() computes after it for "
                f"{parameters(tape, sorted(given))} are zeroed before the next",
                "A step uses the gradients that are there when it is called.",
                "Call loss.backward() before optimizer.step().",
                step.source,
            )


def misplaced_clip(examined: Examined) -> Iterator[Finding]:
    """Gradients that are clipped when there are none yet, or when the step is over.

    A call of `clip_grad_norm_` or `clip_grad_value_` that a pass follows before the step, with no
    other call in between; or one that comes between the step and `zero_grad`.
    """
    tape = examined.tape
    for at, step in enumerate(tape.events):
        if step.kind != "step" or not step.backwards:
            continue
        given = set(tape.backwards[step.backwards - 1].cotangents) & set(step.values)
        if any(any(_between(tape, step.backwards, at, given, kind)) for kind in _CLIPS):
            continue
        for when, clip in enumerate(tape.events):
            if clip.kind in _CLIPS and given & set(clip.values):
                if when < at and clip.backwards < step.backwards:
                    yield _misplaced(tape, clip, "before backward()", given)
                elif when > at and clip.backwards == step.backwards and _zeroed(tape, when, given):
                    yield _misplaced(tape, clip, "after the step", given)


def _misplaced(tape: Tape, clip: Event, when: str, given: Iterable[int]) -> Finding:
    norm = clip.tensor
    found = f"the clip found the norm {float(norm):.3g}, and " if norm is not None else ""
    return Finding(
        "misplaced-clip",
        Severity.ERROR,
        f"gradients are clipped {when}: {found}the step used "
        f"{parameters(tape, sorted(given))} unclipped",
        "Clipping scales the gradients that are there when it is called.",
        "Clip between loss.backward() and optimizer.step().",
        clip.source,
    )


def _moves(tape: Tape, step: Event) -> bool:
    """Whether a step has any gradient to go by."""
    return any(
        update.value in step.values and update.backwards == step.backwards and update.grad.any()
        for update in tape.updates
    )


def _between(
    tape: Tape, backwards: int, until: int, values: set[int], kind: str
) -> Iterator[Event]:
    """The events of a kind since the last pass before the event `until` about any of `values`."""
    for event in tape.events[:until]:
        if event.kind == kind and event.backwards == backwards and values & set(event.values):
            yield event


def _zeroed(tape: Tape, since: int, values: set[int]) -> bool:
    return any(e.kind == "zero_grad" and values & set(e.values) for e in tape.events[since:])
