"""The update phase of a walk: gradients clipped and parameters changed, by hand."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from .clipping import Clip, clips
from .formula import algebra, formula, shape_text
from .lines import Line, trace
from .naming import Names
from .rules.optimizer import UPDATES, clamped, coefficient, scaled, total_norm
from .steps import Group, Step, Twin
from .tape import Tape, Update
from .updates import compared, options_of


class Updating:
    """Collects groups and steps in the order in which they run; here those of the updates."""

    def __init__(self, tape: Tape, names: Names) -> None:
        self.groups: list[Group] = []
        self.steps: list[Step] = []
        self._tape, self._names = tape, names
        self._clips = functools.cache(lambda passes: clips(tape, passes))
        self._scales: dict[Clip, Step] = {}  # clippings by norm -> the step that made their scale

    def run(self) -> None:
        """All updates of the tape, in order."""
        for update in self._tape.updates:
            grad = self._names.gradient(self._tape.values[update.value])
            done = [clip for clip in self._clips(update.backwards) if update.value in clip.found]
            for clip in done:
                grad = self._clip(clip, update, grad, last=clip is done[-1])
            self._update(update, UPDATES.get(update.optimizer), grad)

    def _clip(self, clip: Clip, update: Update, grad: str, last: bool) -> str:
        """One gradient clipped, at last beside what torch left; answers what it is called then."""
        found, scope = clip.found[update.value], {"grad": grad}
        if clip.event.tensor is None:
            (line,) = _lines(clamped, found, clip.event.limit)
        else:
            scale = self._scale(clip)
            scope["scale"] = scale.label
            (line,) = _lines(scaled, found, scale.value.to(found.device))
        step = self._step("update", line, scope, *self._names.next_local("clipped"))
        group = replace(
            _group(_called(clip), self._tape.values[update.value].called), rule=line.function
        )
        if last:
            comparison = clip.compared(update.value, update.grad)
            step = replace(step, twin=Twin("torch", group.op, update.grad, comparison))
            group = replace(group, isolated=comparison)
        self._place(group, [step])
        return step.label

    def _scale(self, clip: Clip) -> Step:
        """What a clipping by norm scales with, placed before all that it scales."""
        if clip in self._scales:
            return self._scales[clip]
        torchs = clip.event.tensor
        assert torchs is not None
        group, steps = _group(_called(clip)), []
        scope: dict[str, str] = {}

        def run(rule: Callable[..., Tensor], *args: Any) -> Iterator[Step]:
            for line in _lines(rule, *args):
                yield self._step("update", line, scope, *self._names.next_local(line.target))

        if clip.norms is not None:
            steps = list(run(total_norm, list(clip.found.values()), clip.event.order))
            twin = Twin("torch", group.op, torchs, clip.norms)
            steps[-1] = replace(steps[-1], twin=twin)
            group = replace(group, rule=total_norm.__name__, isolated=clip.norms)
        steps += run(coefficient, torchs, clip.event.limit)
        self._place(group, steps)
        return self._scales.setdefault(clip, steps[-1])

    def _update(self, update: Update, rule: Callable[..., Tensor] | None, grad: str) -> None:
        """One parameter's update; without a rule, what torch made of it, not checked."""
        kind = update.optimizer.__name__
        group = _group(kind, self._tape.values[update.value].called)
        name = self._names.value(update.value)
        if rule is None:
            shape = shape_text(update.after)
            formula = f"{name} = {kind}({name})"
            step = Step(-1, "update", -1, "", name, name, update.after, formula, shape)
            self._place(group, [step])
            return
        lines = _lines(rule, update.before, update.grad, **options_of(update))
        comparison = compared(update, rule, lines[-1].value)
        scope = {"param": name, "grad": grad}
        steps = [
            self._step("update", line, scope, *self._names.next_local(line.target))
            for line in lines[:-1]
        ]
        final = self._step("update", lines[-1], scope, name, name)
        twin = Twin("torch", kind, update.after, comparison)
        group = replace(group, rule=rule.__name__, isolated=comparison)
        self._place(group, [*steps, replace(final, twin=twin)])

    def _step(self, phase: str, line: Line, scope: dict[str, str], name: str, label: str) -> Step:
        """A step that has no place yet; the line's target is called `label` from here on."""
        text = formula(line, scope, label)
        rebinds = line.target in line.reads  # "y = y + bias": y is still the old one
        names = dict(scope) if rebinds else scope | {line.bound: label}
        scope[line.bound] = label
        return Step(
            index=-1,
            phase=phase,
            group=-1,
            layer="",
            name=name,
            label=label,
            value=line.value,
            formula=text,
            algebra=algebra(line),
            note=self._names.note(phase, name),
            line=line,
            names=names,
            reads=tuple(names.get(name, name) for name in line.reads),
        )

    def _place(self, group: Group, steps: list[Step]) -> None:
        """Give a group and its steps the places that come next."""
        first, number = len(self.steps), len(self.groups)
        for index, step in enumerate(steps, first):
            self.steps.append(replace(step, index=index, group=number, layer=group.layer))
        numbers = tuple(range(first, len(self.steps)))
        self.groups.append(replace(group, index=number, steps=numbers))


def _lines(rule: Callable[..., Tensor], *args: Any, **options: Any) -> list[Line]:
    """The lines of a rule as it runs."""
    with torch.no_grad():
        return trace(rule, *args, **options)[0]


def _called(clip: Clip) -> str:
    return "clip_grad_value_" if clip.event.tensor is None else "clip_grad_norm_"


def _group(kind: str, name: str = "") -> Group:
    """The heading of what `kind` does to the parameter of a name, or to all."""
    layer, _, _ = name.rpartition(".")
    return Group(-1, "update", layer, f"{kind} {name}".rstrip(), kind, None, None, "", None, ())
