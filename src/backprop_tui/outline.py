"""A tape of any size as steps: one for each op forward, one for each cotangent on the way back."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor

from .compare import Verdict, unchecked
from .formula import shape_text
from .judge import Judged
from .steps import Given, Gradient, Group, Heading, Step
from .tape import Backward, Op, Scope, Tape, Value
from .update_phase import UpdatePhase
from .variables import computing, leaf_contents, leaf_names, variables
from .wording import (
    CotangentStep,
    JudgedGradient,
    JudgedGroup,
    JudgedTwin,
    OpGroup,
    OpStep,
    identifier,
    within,
)

CONTAINERS = ("ModuleList", "ModuleDict")
"""Modules that are never called, and so are no heading."""


class Outline:
    """The forward pass, and the way back as far as it is judged."""

    def __init__(self, tape: Tape, backward: Backward | None) -> None:
        self.steps: list[Step] = []
        self.groups: list[Group] = []
        self.names = leaf_names(tape)
        self._tape, self._backward = tape, backward
        self._variables = variables(tape)
        self._headings: dict[tuple[str, tuple[Scope, ...]], tuple[Heading, ...]] = {}
        ops = computing(tape, backward)
        inside = [op.index for op in ops if op.module]
        loss_from = max(inside, default=len(ops)) + 1
        for op in ops:
            self._forward(op, "forward" if op.index < loss_from else "loss")
        self.forward_steps = len(self.steps)

    def given(self) -> tuple[Given, ...]:
        """The leaves."""
        names = self.names
        return tuple(
            Given(names[v.index], names[v.index], v.name, content, "forward")
            for v, content in self._contents
        )

    @functools.cached_property
    def _contents(self) -> tuple[tuple[Value, Tensor], ...]:
        contents = leaf_contents(self._tape, self._backward)
        return tuple((value, contents[value.index]) for value in self._tape.values if value.leaf)

    def gradients(self, judged: Judged | None) -> tuple[Gradient, ...]:
        """Every parameter's gradient by autograd, judged by ours."""
        if self._backward is None:
            return ()
        found = self._backward.cotangents
        known = [v for v in self._tape.values if v.leaf and v.name and v.index in found]
        if judged is not None:
            return tuple(JudgedGradient(judged, value.index, value.name) for value in known)
        return tuple(
            Gradient(value.name, f'grad["{value.name}"]', found[value.index], unchecked())
            for value in known
        )

    def way_back(self, judged: Judged) -> None:
        """Append what is judged, in place of what was appended before."""
        del self.steps[self.forward_steps :], self.groups[self.forward_steps :]
        self._seed(judged)
        back = _WayBack(self._tape, judged, self.names)
        alone = {verdict: replace(unchecked(), verdict=verdict) for verdict in Verdict}
        for op in reversed(judged.ops):
            index, first = len(self.groups), len(self.steps)
            self.steps += back.steps(op, first, index)
            numbers = tuple(range(first, len(self.steps)))
            isolated, failed = alone[judged.isolated[op.index]], op.index in judged.failures
            self.groups.append(JudgedGroup(index, op, numbers, self._under(op), isolated, failed))

    def updates(self) -> None:
        """Append what became of the parameters."""
        if self.update_phase is not None:
            for group, step in self.update_phase.steps(len(self.steps), len(self.groups)):
                self.groups.append(replace(group, headings=modules(self._tape, group.layer)))
                self.steps.append(step)

    @functools.cached_property
    def update_phase(self) -> UpdatePhase | None:
        """What follows the pass; None where there is no pass."""
        if self._backward is None:
            return None
        return UpdatePhase(self._tape, self._backward, self.names)

    def _forward(self, op: Op, phase: str) -> None:
        """One op, one step: what torch computed."""
        if not op.results:
            return
        index = len(self.steps)
        name = self._variables.get(op.index) or f"x{index + 1}"
        for position, value in enumerate(op.results):
            self.names.setdefault(value, f"{name}_{position}" if position else name)
        self.steps.append(OpStep(index, phase, op, name, self.names))
        self.groups.append(OpGroup(index, phase, op, (index,), self._under(op)))

    def _seed(self, judged: Judged) -> None:
        """What the program differentiated, and what it began with: dL/dL = 1."""
        backward, first = judged.backward, len(self.steps)
        for root, seed in zip(backward.roots, backward.seeds, strict=True):
            label = f"d{self.names[root]}"
            said = f"{seed.item():g}" if seed.numel() == 1 else "seed"
            self.steps.append(
                Step(
                    index=len(self.steps),
                    phase="backward",
                    group=len(self.groups),
                    layer="",
                    name=identifier(label),
                    label=label,
                    value=seed,
                    formula=f"{label} = {said}",
                    algebra=shape_text(seed),
                )
            )
        source = (backward.source.file, backward.source.line) if backward.source else None
        steps = tuple(range(first, len(self.steps)))
        title = "loss.backward()"
        self.groups.append(
            Group(len(self.groups), "backward", "", title, "seed", None, source, "", None, steps)
        )

    def _under(self, op: Op) -> tuple[Heading, ...]:
        """The headings that an op stands under."""
        place = op.module, op.scope
        if place not in self._headings:
            calls = (Heading(f"{scope.name}:{scope.call}", scope.name) for scope in op.scope)
            self._headings[place] = (*modules(self._tape, op.module), *calls)
        return self._headings[place]


class _WayBack:
    """The steps of the way back: what each op gives to the cotangents of its inputs."""

    def __init__(self, tape: Tape, judged: Judged, names: Mapping[int, str]) -> None:
        self._tape, self._judged, self._names = tape, judged, names
        self._shares: dict[int, list[str]] = {}  # value -> what was given to it so far
        self._last: dict[int, int] = {}  # value -> the last op to give, which is the first to read
        begun = judged.ops[0].index if judged.ops else math.inf
        for op in tape.ops[: judged.backward.after]:
            if op.index in judged.isolated or (op.index < begun and self._will_give(op)):
                for value in op.inputs:
                    self._last.setdefault(value, op.index)

    def _will_give(self, op: Op) -> bool:
        """Whether the pass reaches an op, which is not judged yet."""
        given = self._judged.backward.cotangents
        return bool(op.node or op.implicit) and not given.keys().isdisjoint(op.results)

    def steps(self, op: Op, first: int, group: int) -> list[Step]:
        """One step for each input that a cotangent reaches."""
        found: list[Step] = []
        failure = self._judged.failures.get(op.index)
        note = f"Its rule failed: {failure}" if failure else ""
        for value in dict.fromkeys(op.inputs):
            whole = self._last[value] == op.index
            manual = self._cotangent(op, value, whole)
            if manual is None:
                continue
            step = CotangentStep(
                first + len(found),
                group,
                op,
                self._names[value],
                manual,
                self._shares.get(value, ()) if whole else None,
                self._twin(value) if whole else None,
                self._names,
                note,
            )
            found.append(step)
            if not whole:
                self._shares.setdefault(value, []).append(step.label)
        return found

    def _cotangent(self, op: Op, value: int, whole: bool) -> Tensor | None:
        """By hand: a value's whole cotangent at the last op that gives to it, else the share."""
        if not self._tape.values[value].requires_grad:
            return None
        if whole:
            return self._judged.derivation.cotangents.get(value)
        return self._judged.shares.get((op.index, value))

    def _twin(self, value: int) -> JudgedTwin | None:
        if value not in self._judged.backward.cotangents:
            return None
        return JudgedTwin(self._judged, value, self._tape.values[value].name, self._names[value])


def modules(tape: Tape, path: str) -> tuple[Heading, ...]:
    """The modules around a place, from the outermost in, each named from the one around it."""
    found: list[Heading] = []
    parts = path.split(".") if path else []
    for length in range(1, len(parts) + 1):
        prefix = ".".join(parts[:length])
        kind = tape.modules.get(prefix, "")
        if kind not in CONTAINERS or length == len(parts):
            short = within(prefix, found[-1].key if found else "")
            found.append(Heading(prefix, f"{short} {kind}".rstrip()))
    return tuple(found)
