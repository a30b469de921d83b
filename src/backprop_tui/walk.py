"""Tape -> Trace: the rules run line by line, each line named, placed and compared."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from .backward import derive_by_lines
from .binding import answered, bound
from .formula import shape_text
from .lines import Line, needed, returned, trace
from .naming import Names, Naming
from .steps import Given, Gradient, Group, Step, Trace, Twin
from .tape import Backward, Op, Tape, tensors
from .torch_formulas import telling
from .updating import Updating
from .visit import Visit
from .witness import Witness


def walk(
    tape: Tape,
    *,
    title: str,
    iteration: int = 1,
    naming: Naming | None = None,
    given: Mapping[int, Tensor] | None = None,
    updates_first: bool = False,
    constants: Mapping[str, float] | None = None,
    warning: str = "",
) -> Trace:
    """Make the first backward of `tape` into a Trace.

    Args:
        given: value index -> tensor, to start the hand computation from in place of the
            recorded leaves.
        updates_first: put the update before the forward phase, as the article's listing does.

    Raises:
        ValueError: if the tape holds no backward.
    """
    if not tape.backwards:
        raise ValueError("nothing was differentiated: call loss.backward() inside the recording")
    walker = _Walker(tape, tape.backwards[0], naming or Naming(), given or {})
    autograd_at = walker.walk(updates_first)
    return Trace(
        title=title,
        iteration=iteration,
        given=walker.given(),
        groups=tuple(walker.groups),
        steps=tuple(walker.steps),
        loss=loss_of(tape, tape.backwards[0]),
        constants=constants or {},
        gradients=walker.gradients(),
        autograd_at=autograd_at,
        warning=warning,
    )


def loss_of(tape: Tape, backward: Backward) -> float:
    """The number that was differentiated; NaN where it is no real scalar."""
    if not backward.roots:
        return math.nan
    root = tape.values[backward.roots[0]].tensor
    return float(root) if root.numel() == 1 and not root.is_complex() else math.nan


class _Walker(Updating):
    """Collects the groups and steps of one training step, in the order in which they run."""

    def __init__(
        self, tape: Tape, backward: Backward, naming: Naming, given: Mapping[int, Tensor]
    ) -> None:
        super().__init__(tape, Names(tape, naming))
        self._backward = backward
        self._derivation = derive_by_lines(tape, backward, trace, given)
        self._witness = Witness(tape, backward, given)
        self._scopes: dict[int, dict[str, str]] = {}  # op -> the rule's names on the screen
        visits = self._derivation.visits
        self._consumers = Counter(
            value for visit in visits if visit.outgoing for value in visit.op.inputs
        )
        inside = [visit.op.index for visit in visits if visit.op.module]
        self._loss_from = max(inside, default=len(visits)) + 1

    def walk(self, updates_first: bool) -> int:
        """Walk all phases; answers the step from which autograd's gradients exist."""
        visits = self._derivation.visits
        if updates_first:
            self.run()
        for visit in visits:
            self._forward(visit)
        autograd_at = 0 if updates_first else len(self.steps)
        if self._backward.roots:
            self._seeds()
        for visit in reversed(visits):
            if visit.outgoing:
                self._backward_of(visit)
        if not updates_first:
            self.run()
        return autograd_at

    def given(self) -> tuple[Given, ...]:
        """The leaves that the derivation read, each with the phase that reads it first."""
        phases: dict[int, str] = {}
        for visit in self._derivation.visits:
            for index in visit.op.inputs:
                phases.setdefault(index, self._phase(visit.op))
        return tuple(
            Given(
                name=self._names.value(value.index),
                label=self._names.value(value.index),
                detail=value.name,
                value=self._derivation.values.get(value.index, value.tensor),
                phase=phases[value.index],
            )
            for value in self._tape.values
            if value.leaf and value.index in phases
        )

    def gradients(self) -> tuple[Gradient, ...]:
        """Every parameter's gradient, by autograd and judged by ours."""
        found = []
        for value in self._tape.values:
            autograd = self._backward.cotangents.get(value.index)
            manual = self._derivation.cotangents.get(value.index)
            if value.leaf and autograd is not None and manual is not None:
                comparison = self._witness.cotangent(value.index, manual, autograd)
                label = self._names.gradient(value)
                found.append(Gradient(value.name or label, label, autograd, comparison))
        return tuple(found)

    def _phase(self, op: Op) -> str:
        return "forward" if op.index < self._loss_from else "loss"

    def _forward(self, visit: Visit) -> None:
        op = visit.op
        scope = self._scopes[op.index] = self._names.arguments(visit)
        phase = self._phase(op)
        steps = [
            self._step(phase, line, scope, *self._names.next_forward(line.target))
            for line in visit.forward_lines
        ]
        self._names.results(visit, scope)
        if steps and len(op.results) == 1:
            manual, expected = visit.outputs[0], op.outputs[0]
            comparison = self._witness.value(op.results[0], manual, expected)
            twin = Twin(self._names.torch_twin(steps[-1].name), op.name, expected, comparison)
            steps[-1] = replace(steps[-1], twin=twin)
        self._place(_group_of(op, phase, visit), steps)

    def _seeds(self) -> None:
        """What comes in from outside, which no rule computes: dL/dL, or a cotangent a result."""
        group = Group(-1, "backward", "", "loss.backward()", "seed", None, None, "", None, ())
        self._place(group, [self._seed(root) for root in self._backward.roots])

    def _seed(self, root: int) -> Step:
        name, label = self._names.next_cotangent(root)
        value = self._derivation.cotangents[root]
        said = f"{value.item():g}" if value.numel() == 1 else "seed"
        return Step(
            index=-1,
            phase="backward",
            group=-1,
            layer="",
            name=name,
            label=label,
            value=value,
            formula=f"{label} = {said}",
            algebra=shape_text(value),
            note=self._names.note("backward", name),
        )

    def _backward_of(self, visit: Visit) -> None:
        op = visit.op
        group = _group_of(op, "backward", visit)
        if visit.backward is None:
            self._place(group, [])
            return
        scope = self._scopes[op.index]
        code = visit.backward.__code__
        taken = code.co_varnames[: code.co_argcount]
        scope.update(self._names.incoming(visit, taken))
        wanted = self._wanted(visit)
        lines = needed(visit.backward_lines, wanted)
        last = {line.bound: position for position, line in enumerate(lines)}
        steps: list[Step] = []
        for position, line in enumerate(lines):
            if line.bound in wanted and last[line.bound] == position:
                steps.extend(self._contribution(wanted[line.bound], line, scope))
            else:
                named = self._names.next_local(line.target)
                steps.append(self._step("backward", line, scope, *named))
        for target in wanted.keys() - last.keys():
            self._names.hand_through(wanted[target], scope.get(target, target))
        isolated = self._witness.isolated(op)
        self._place(replace(group, isolated=isolated, node=telling(op)), steps)

    def _wanted(self, visit: Visit) -> dict[str, int]:
        """The names that backward returns for inputs that need a gradient -> those inputs."""
        assert visit.rule is not None and visit.backward is not None
        op = visit.op
        given = bound(visit.rule, (op.args, dict(op.kwargs)))
        indices = dict(zip(map(id, tensors((op.args, op.kwargs))), op.inputs, strict=True))
        pairs: list[tuple[Any, str | None]] = []
        for parameter, answer in answered(visit.rule, given, returned(visit.backward)).items():
            argument = given.get(parameter)
            if isinstance(answer, tuple):
                pairs.extend(zip(argument or (), answer, strict=False))
            elif isinstance(argument, (list, tuple)):
                pairs.extend((each, f"{answer}[{item}]") for item, each in enumerate(argument))
            else:
                pairs.append((argument, answer))
        found = {}
        for argument, name in pairs:
            index = indices.get(id(argument))
            if name is not None and index is not None and self._tape.values[index].requires_grad:
                found[name] = index
        return found

    def _contribution(self, index: int, line: Line, scope: dict[str, str]) -> list[Step]:
        """What one op gives to a value's cotangent; under fan-out, then their sum so far."""
        value = self._tape.values[index]
        first = self._names.cotangent(index)
        step = self._step("backward", line, scope, *self._names.next_cotangent(index))
        if self._consumers[index] == 1:
            return [replace(step, twin=self._gradient_twin(index))]
        if first is None:
            return [step]
        total = self._derivation.cotangents[index]
        shape = shape_text(total)
        added = replace(
            step,
            name=first,
            label=first,
            value=total,
            formula=f"{first} = {first} + {step.label}",
            algebra=f"{shape} + {shape} = {shape}",
            note=f"{self._names.value(value.index)} is used more than once: its gradients add up.",
            line=None,
            twin=self._gradient_twin(index),
        )
        return [step, added]

    def _gradient_twin(self, index: int) -> Twin | None:
        expected = self._backward.cotangents.get(index)
        if expected is None:
            return None
        manual = self._derivation.cotangents[index]
        value = self._tape.values[index]
        comparison = self._witness.cotangent(index, manual, expected)
        return Twin(self._names.gradient(value), value.name, expected, comparison)


def _group_of(op: Op, phase: str, visit: Visit) -> Group:
    return Group(
        index=-1,
        phase=phase,
        layer=op.module,
        title=_title(op),
        op=op.name,
        rule=visit.rule.name if visit.rule else None,
        source=(op.source.file, op.source.line) if op.source else None,
        node="",
        isolated=None,
        steps=(),
        call=op.index,
    )


def _title(op: Op) -> str:
    """``0 Linear 3→4``: module path, its type or the op, and how the width changes."""
    name = op.module_type or op.name
    ends = [tensor.shape[-1] for tensor in (*tensors(op.args), *op.outputs) if tensor.dim()]
    width = f" {ends[0]}→{ends[-1]}" if op.module and ends and ends[0] != ends[-1] else ""
    return " ".join(filter(None, [op.module, name])) + width
