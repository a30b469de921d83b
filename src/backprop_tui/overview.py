"""A tape of any size as a Trace: a step for each op and each cotangent, lines on stepping in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from torch import Tensor

from .compare import Comparison, Verdict, unchecked
from .formula import shape_text
from .judge import Judged, judge
from .naming import Naming
from .rules import registry
from .session import Session
from .steps import Given, Gradient, Group, Step, Trace, Twin
from .tape import Backward, Op, Tape, tensors
from .torch_formulas import formula_of
from .variables import leaf_names, variables
from .walk import loss_of, walk


class Overview:
    """One backward pass of a tape, to look at as a whole and op by op.

    Args:
        progress: told how many of the tape's ops are judged; it answers False to stop.

    Raises:
        judge.Cancelled: when `progress` answered False.
    """

    def __init__(
        self,
        tape: Tape,
        number: int,
        title: str,
        progress: Callable[[int], bool] = lambda done: True,
    ) -> None:
        self._tape, self._number, self._title = tape, number, title
        self._judged = judge(tape, tape.backwards[number], progress=progress)
        self._ops: dict[int, Op] = {}  # group -> its op
        self._names: dict[int, str] = {}  # value -> its name on the screen
        self.trace = self._trace()

    def into(self, group: int) -> Trace | None:
        """The rule of one op line by line, fed with autograd's own cotangents; None without."""
        op = self._ops.get(group)
        if op is None or registry.find(op.function) is None:
            return None
        tape = alone(self._tape, self._judged.backward, op)
        if tape is None:
            return None
        where = " ".join(filter(None, [op.module, op.name]))
        return walk(
            tape,
            title=f"{self._title} › {where}",
            iteration=self._number + 1,
            naming=Naming(leaves=self._leaves(op)),
        )

    def _leaves(self, op: Op) -> dict[str, str]:
        """What the op's inputs are called, for the walk over it alone."""
        found, inputs = {}, 0
        for value in dict.fromkeys(op.inputs):
            path = self._tape.values[value].name
            if not path:
                path = f"input {inputs}"
                inputs += 1
            found[path] = self._names.get(value, f"v{value}")
        return found

    def _trace(self) -> Trace:
        tape, judged = self._tape, self._judged
        builder = _Builder(tape, judged)
        forward = list(tape.ops[: judged.backward.after])
        inside = [op.index for op in forward if op.module]
        loss_from = max(inside, default=-1) + 1
        for op in forward:
            builder.forward(op, "forward" if op.index < loss_from else "loss")
        autograd_at = len(builder.steps)
        for op in reversed(judged.ops):
            builder.backward(op)
        self._ops, self._names = builder.ops, builder.names
        return Trace(
            title=self._title,
            iteration=self._number + 1,
            given=tuple(builder.given()),
            groups=tuple(builder.groups),
            steps=tuple(builder.steps),
            loss=loss_of(tape, judged.backward),
            constants={},
            gradients=tuple(builder.gradients()),
            autograd_at=autograd_at,
        )


class TapeSession(Session):
    """The backward passes of one tape as a session; each is judged when it is first visited."""

    def __init__(self, tape: Tape, title: str = "tape") -> None:
        self.title = title
        self.iterations = len(tape.backwards)
        self.losses = {
            number: loss_of(tape, backward) for number, backward in enumerate(tape.backwards, 1)
        }
        self._tape = tape
        self._overviews: dict[int, Overview] = {}

    def trace(self, iteration: int) -> Trace:
        if not 1 <= iteration <= self.iterations:
            raise IndexError(f"no step {iteration}: there are 1 to {self.iterations}")
        if iteration not in self._overviews:
            self._overviews[iteration] = Overview(self._tape, iteration - 1, self.title)
        return self._overviews[iteration].trace

    def run_to(self, iteration: int, progress: Callable[[int], bool] = lambda _: True) -> int:
        self.trace(iteration)
        return iteration

    def into(self, trace: Trace, group: int) -> Trace | None:
        return self._overviews[trace.iteration].into(group)


class _Builder:
    def __init__(self, tape: Tape, judged: Judged) -> None:
        self.tape, self.judged = tape, judged
        self.steps: list[Step] = []
        self.groups: list[Group] = []
        self.ops: dict[int, Op] = {}
        self.names = leaf_names(tape)
        self._variables = variables(tape)
        self._last_reader: dict[int, int] = {}
        for op in judged.ops:
            for value in op.inputs:
                self._last_reader.setdefault(value, op.index)

    def given(self) -> Iterator[Given]:
        """The leaves: parameters by their path, inputs as a1, a2, …"""
        for value in self.tape.values:
            if value.leaf:
                name = self.names[value.index]
                yield Given(name, value.name or name, value.name, value.tensor, "forward")

    def gradients(self) -> Iterator[Gradient]:
        """Every parameter's gradient by autograd, judged by ours."""
        for value in self.tape.values:
            autograd = self.judged.backward.cotangents.get(value.index)
            if value.leaf and value.name and autograd is not None:
                comparison = self.judged.chained.get(value.index) or unchecked()
                yield Gradient(value.name, f'grad["{value.name}"]', autograd, comparison)

    def forward(self, op: Op, phase: str) -> None:
        """One op, one step: what torch computed."""
        if not op.results:
            return
        reads = ", ".join(self.names.get(value, f"v{value}") for value in op.inputs)
        number = f"x{len(self.steps) + 1}"
        name = self._variables.get(op.index, number)
        for position, value in enumerate(op.results):
            suffix = f"_{position}" if position else ""
            self.names.setdefault(value, f"{name}{suffix}")
        output = op.outputs[0]
        step = self._step(op, phase, name, output, f"{name} = {op.name}({reads})")
        shapes = ", ".join(shape_text(tensor) for tensor in tensors((op.args, op.kwargs)))
        self._place(op, phase, [replace(step, algebra=f"{shapes} → {shape_text(output)}")])

    def backward(self, op: Op) -> None:
        """One step for each input that a cotangent reaches."""
        steps = []
        incoming = self.names.get(op.results[0], "")
        for value in dict.fromkeys(op.inputs):
            found = self._cotangent(op, value)
            if found is None:
                continue
            name, manual, twin = found
            formula = f"{name} = {op.name}′(d{incoming})"
            step = self._step(op, "backward", name, manual, formula)
            steps.append(replace(step, algebra=shape_text(manual), twin=twin))
        self._place(op, "backward", steps)

    def _cotangent(self, op: Op, value: int) -> tuple[str, Tensor, Twin | None] | None:
        """A value's whole cotangent at the last op that adds to it, before that the op's share."""
        generic = self.tape.values[value].name or self.names.get(value, f"v{value}")
        backward = self.judged.backward
        if self._last_reader.get(value) == op.index:
            manual = self.judged.derivation.cotangents.get(value)
            autograd = backward.cotangents.get(value)
            if manual is None or not self.tape.values[value].requires_grad:
                return None
            twin = None
            if autograd is not None:
                label = f'grad["{generic}"]' if self.tape.values[value].name else f"dL/d{generic}"
                comparison = self.judged.chained.get(value) or unchecked()
                twin = Twin(label, self.tape.values[value].name, autograd, comparison)
            return f"d{generic}", manual, twin
        share = backward.contributions.get((op.index, value))
        return None if share is None else (f"d{generic}_{op.index}", share, None)

    def _step(self, op: Op, phase: str, name: str, value: Tensor, formula: str) -> Step:
        return Step(
            index=-1,
            phase=phase,
            group=-1,
            layer=op.module,
            name=re.sub(r"\W", "_", name),
            label=name,
            value=value,
            formula=formula,
            algebra="",
        )

    def _place(self, op: Op, phase: str, steps: list[Step]) -> None:
        number, first = len(self.groups), len(self.steps)
        for index, step in enumerate(steps, first):
            self.steps.append(replace(step, index=index, group=number))
        rule = registry.find(op.function)
        self.ops[number] = op
        self.groups.append(
            Group(
                index=number,
                phase=phase,
                layer=op.module,
                title=" ".join(filter(None, [op.module, op.module_type])) or op.name,
                op=op.name,
                rule=rule.name if rule else None,
                source=(op.source.file, op.source.line) if op.source else None,
                formula=formula_of(op.node) if phase == "backward" else "",
                isolated=self._isolated(op) if phase == "backward" else None,
                steps=tuple(range(first, len(self.steps))),
            )
        )

    def _isolated(self, op: Op) -> Comparison:
        verdict = self.judged.isolated.get(op.index, Verdict.UNCHECKED)
        return replace(unchecked(), verdict=verdict)


def alone(tape: Tape, backward: Backward, op: Op) -> Tape | None:
    """One op as a tape of its own, differentiated from autograd's own cotangents of its results.

    None where autograd had none.
    """
    seeds = {value: backward.cotangents.get(value) for value in op.results}
    roots = {value: seed for value, seed in seeds.items() if seed is not None}
    if not roots:
        return None
    number = {value: i for i, value in enumerate(dict.fromkeys((*op.inputs, *op.results)))}
    values = tuple(
        replace(tape.values[value], index=i, leaf=value not in op.results)
        for value, i in number.items()
    )
    cotangents = {number[value]: grad for value, grad in (_own(backward, op) | roots).items()}
    single = Backward(
        roots=tuple(number[value] for value in roots),
        seeds=tuple(roots.values()),
        cotangents=cotangents,
        contributions={},
        shared=frozenset(),
        replaced=frozenset(),
        after=1,
        unseen=(),
    )
    inputs, results = (tuple(number[value] for value in part) for part in (op.inputs, op.results))
    return Tape((replace(op, index=0, inputs=inputs, results=results),), values, (single,))


def _own(backward: Backward, op: Op) -> dict[int, Tensor]:
    """Autograd's cotangents of an op's inputs as that op alone made them."""
    own: dict[int, Any] = {}
    for value in op.inputs:
        share = backward.contributions.get((op.index, value))
        if share is None and value not in backward.shared:
            share = backward.cotangents.get(value)
        if share is not None:
            own[value] = share
    return own
