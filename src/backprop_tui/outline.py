"""A tape of any size as steps: one for each op forward, one for each cotangent on the way back."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from .compare import Comparison, unchecked
from .formula import shape_text
from .judge import Judged
from .rules import registry
from .steps import Given, Gradient, Group, Heading, Step, Twin
from .tape import Backward, Op, Tape, Value, tensors
from .torch_formulas import telling
from .update_phase import UpdatePhase
from .variables import computing, leaf_contents, leaf_names, variables

CONTAINERS = ("ModuleList", "ModuleDict")
"""Modules that are never called, and so are no heading."""
INFIX = {"add": "+", "sub": "−", "mul": "∘", "div": "/", "matmul": "·"}


class Outline:
    """The forward pass, and the way back as far as it is judged."""

    def __init__(self, tape: Tape, backward: Backward | None) -> None:
        self.steps: list[Step] = []
        self.groups: list[Group] = []
        self.names = leaf_names(tape)
        self._tape, self._backward = tape, backward
        self._variables = variables(tape)
        self._modules: dict[str, tuple[Heading, ...]] = {}
        ops = computing(tape, backward)
        inside = [op.index for op in ops if op.module]
        loss_from = max(inside, default=len(ops)) + 1
        for op in ops:
            self._forward(op, "forward" if op.index < loss_from else "loss")
        self.forward_steps, self._forward_groups = len(self.steps), len(self.groups)

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
        return tuple(
            Gradient(
                value.name,
                f'grad["{value.name}"]',
                self._backward.cotangents[value.index],
                judged.comparison(value.index) if judged is not None else unchecked(),
            )
            for value in self._tape.values
            if value.leaf and value.name and value.index in self._backward.cotangents
        )

    def way_back(self, judged: Judged) -> None:
        """Append what is judged, in place of what was appended before."""
        del self.steps[self.forward_steps :], self.groups[self._forward_groups :]
        self._seed(judged)
        back = _WayBack(self._tape, judged, self.names)
        for op in reversed(judged.ops):
            isolated = replace(unchecked(), verdict=judged.isolated[op.index])
            steps = back.steps(op, len(self.steps), len(self.groups))
            if failure := judged.failures.get(op.index):
                steps = [replace(step, note=f"Its rule failed: {failure}") for step in steps]
            self._place(op, "backward", steps, isolated, failed=bool(failure))

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
        name = self._variables.get(op.index) or f"x{len(self.steps) + 1}"
        for position, value in enumerate(op.results):
            self.names.setdefault(value, f"{name}_{position}" if position else name)
        reads = [self.names[value] for value in op.inputs]
        shapes = ", ".join(map(shape_text, tensors((op.args, op.kwargs))))
        output = op.outputs[0]
        step = Step(
            index=len(self.steps),
            phase=phase,
            group=len(self.groups),
            layer=op.module,
            name=identifier(name),
            label=name,
            value=output,
            formula=f"{name} = {call(op, [within(read, op.module) for read in reads])}",
            algebra=f"{shapes} → {shape_text(output)}",
            reads=tuple(map(identifier, reads)),
            operands=(*tensors((op.args, op.kwargs)), *op.args, *op.kwargs.values()),
        )
        self._place(op, phase, [step], None)

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

    def _place(
        self,
        op: Op,
        phase: str,
        steps: list[Step],
        isolated: Comparison | None,
        failed: bool = False,
    ) -> None:
        rule = None if failed else registry.find(op.function)
        self.steps += steps
        self.groups.append(
            Group(
                index=len(self.groups),
                phase=phase,
                layer=op.module,
                title=f"{op.module} {op.name}".lstrip(),
                op=op.name,
                rule=rule.name if rule else None,
                source=(op.source.file, op.source.line) if op.source else None,
                node=telling(op) if phase == "backward" else "",
                isolated=isolated,
                steps=tuple(step.index for step in steps),
                headings=self._headings(op),
                call=op.index,
            )
        )

    def _headings(self, op: Op) -> tuple[Heading, ...]:
        if op.module not in self._modules:
            self._modules[op.module] = modules(self._tape, op.module)
        calls = (Heading(f"{scope.name}:{scope.call}", scope.name) for scope in op.scope)
        return (*self._modules[op.module], *calls)


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
        incoming = [self._names[value] for value in op.results]
        found: list[Step] = []
        for value in dict.fromkeys(op.inputs):
            whole = self._last[value] == op.index
            manual = self._cotangent(op, value, whole)
            if manual is None:
                continue
            generic = self._names[value]
            shares = self._shares.setdefault(value, [])
            given = ", ".join(f"d{within(name, op.module)}" for name in incoming)
            terms = [f"{op.name}′({given})", *(shares if whole else ())]
            suffix = "" if whole else f"_via{op.index}"
            label = f"d{generic}{suffix}"
            found.append(
                Step(
                    index=first + len(found),
                    phase="backward",
                    group=group,
                    layer=op.module,
                    name=identifier(label),
                    label=label,
                    value=manual,
                    formula=f"d{within(generic, op.module)}{suffix} = {' + '.join(terms)}",
                    algebra=shape_text(manual),
                    reads=tuple(identifier(f"d{name}") for name in incoming)
                    + tuple(map(identifier, terms[1:])),
                    twin=self._twin(value) if whole else None,
                )
            )
            shares.append(label)
        return found

    def _cotangent(self, op: Op, value: int, whole: bool) -> Tensor | None:
        """By hand: a value's whole cotangent at the last op that gives to it, else the share."""
        if not self._tape.values[value].requires_grad:
            return None
        if whole:
            return self._judged.derivation.cotangents.get(value)
        return self._judged.shares.get((op.index, value))

    def _twin(self, value: int) -> Twin | None:
        autograd = self._judged.backward.cotangents.get(value)
        if autograd is None:
            return None
        path, name = self._tape.values[value].name, self._names[value]
        label = f'grad["{path}"]' if path else f"dL/d{name}"
        return Twin(label, path, autograd, self._judged.comparison(value))


def within(name: str, module: str) -> str:
    """A name as the module that it belongs to says it: "weight"."""
    return name.removeprefix(f"{module}.") if module else name


def identifier(label: str) -> str:
    """A label as the REPL binds it."""
    return label if label.isidentifier() else re.sub(r"\W", "_", label)


def call(op: Op, names: Iterable[str]) -> str:
    """What an op does, its tensors by these names: "linear(x1, weight)", "x1 + x2", "2 ∘ x1"."""
    left = iter(names)
    said = [_said(argument, left) for argument in op.args]
    if op.name in INFIX and len(said) == 2 and not op.kwargs:
        return f"{said[0]} {INFIX[op.name]} {said[1]}"
    if op.name == "__getitem__":
        return f"{said[0]}[{said[1].strip('()')}]"
    said += [f"{name}={_said(argument, left)}" for name, argument in op.kwargs.items()]
    return f"{op.name}({', '.join(said)})"


def _said(argument: Any, names: Iterator[str]) -> str:
    if isinstance(argument, Tensor):
        return next(names)
    if isinstance(argument, (tuple, list)):
        return f"({', '.join(_said(item, names) for item in argument)})"
    if isinstance(argument, slice):
        ends = (argument.start, argument.stop, argument.step)
        return ":".join("" if end is None else str(end) for end in ends).removesuffix(":")
    if isinstance(argument, float):
        return f"{argument:g}"
    return "…" if argument is Ellipsis else str(argument).removeprefix("torch.")


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
