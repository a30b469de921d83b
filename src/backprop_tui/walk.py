"""Tape -> Trace: the rules run line by line, each line named, numbered and compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from .backward import Visit, derive, isolate, parameters_of
from .compare import Comparison, compare
from .formula import algebra, formula, shape_text
from .lines import Line, needed, returned, trace
from .rules.optimizer import UPDATES
from .steps import Given, Gradient, Group, Step, Trace, Twin
from .tape import Backward, Op, Tape, Update, tensors
from .torch_formulas import formula_of
from .witness import Witness, widen


@dataclass(frozen=True)
class Naming:
    """What a lesson calls things; without one, values are x1, x2, … and gradients d<value>.

    Attributes:
        leaves: the path of a parameter, or the position of an input among the inputs
            ("input 0"), -> name on the screen.
        steps: the name that a step would have -> (name, label).
        twins: value name -> what torch calls it ("x6" -> "y_pred").
        notes: name -> a sentence about it, for the phase it is in ("backward re").
    """

    leaves: Mapping[str, str] = field(default_factory=dict)
    steps: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    twins: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    numbered_gradients: bool = False


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
        given: values to start the hand computation from in place of the recorded leaves.
        updates_first: put the update before the forward phase, as the article's listing does.

    Raises:
        ValueError: if the tape holds no backward.
    """
    if not tape.backwards:
        raise ValueError("nothing was differentiated: call loss.backward() inside the recording")
    walker = _Walker(tape, tape.backwards[0], naming or Naming(), given or {})
    return walker.walk(title, iteration, updates_first, constants or {}, warning)


class _Walker:
    def __init__(
        self, tape: Tape, backward: Backward, naming: Naming, given: Mapping[int, Tensor]
    ) -> None:
        self.tape, self.backward, self.naming = tape, backward, naming
        self.derivation = derive(tape, backward, run=trace, given=given)
        self.witness = Witness(tape, backward, given)
        self.names: dict[int, str] = {}  # value -> its name on the screen
        self.cotangent_names: dict[int, str] = {}
        self.scopes: dict[int, dict[str, str]] = {}  # op -> the rule's names on the screen
        self.used: Counter[str] = Counter()
        self.given: list[Given] = []
        self.groups: list[Group] = []
        self.steps: list[Step] = []
        self.forward_count = 0
        self.consumers = Counter(
            value
            for visit in self.derivation.visits
            if visit.outgoing
            for value in visit.op.inputs
        )
        inside = [op.index for op in tape.ops if op.module]
        self.loss_from = max(inside, default=-1) + 1

    def walk(
        self,
        title: str,
        iteration: int,
        updates_first: bool,
        constants: Mapping[str, float],
        warning: str,
    ) -> Trace:
        self._name_leaves()
        if updates_first:
            self._update()
        for visit in self.derivation.visits:
            self._forward(visit)
        autograd_at = 0 if updates_first else len(self.steps)
        self._seed()
        for visit in reversed(self.derivation.visits):
            if visit.outgoing:
                self._backward(visit)
        if not updates_first:
            self._update()
        return Trace(
            title=title,
            iteration=iteration,
            given=tuple(self.given),
            groups=tuple(self.groups),
            steps=tuple(self.steps),
            loss=float(self.tape.values[self.backward.roots[0]].tensor),
            constants=constants,
            gradients=tuple(self._gradients()),
            autograd_at=autograd_at,
            warning=warning,
        )

    def _name_leaves(self) -> None:
        inputs = 0
        for value in self.tape.values:
            if not value.leaf:
                continue
            if not value.name:
                inputs += 1
            path = value.name or f"input {inputs - 1}"
            name = self.naming.leaves.get(path, f"a{value.index}")
            ops = (visit.op for visit in self.derivation.visits)
            first = next((op for op in ops if value.index in op.inputs), None)
            if first is None:
                continue
            self.names[value.index] = name
            tensor = self.derivation.values.get(value.index, value.tensor)
            self.given.append(Given(name, name, value.name, tensor, self._phase(first)))

    def _phase(self, op: Op) -> str:
        return "forward" if op.index < self.loss_from else "loss"

    def _forward(self, visit: Visit) -> None:
        op = visit.op
        scope = self.scopes[op.index] = self._arguments(visit)
        drafts = []
        for line in visit.forward_lines:
            self.forward_count += 1
            name, label = self._named(f"x{self.forward_count}")
            drafts.append(self._draft(self._phase(op), line, scope, name, label))
        if drafts:
            self._name_results(visit, scope)
            drafts[-1] = replace(drafts[-1], twin=self._torch_twin(visit, drafts[-1].name))
        self._close(self._phase(op), visit, drafts, None)

    def _name_results(self, visit: Visit, scope: Mapping[str, str]) -> None:
        """The op's outputs are called as the line that bound them."""
        assert visit.rule is not None
        names = returned(visit.rule.function)
        for value, name in zip(visit.op.results, names, strict=False):
            self.names[value] = scope.get(name or "", self.names.get(value, f"v{value}"))

    def _torch_twin(self, visit: Visit, name: str) -> Twin | None:
        if len(visit.op.results) != 1:
            return None
        index, expected = visit.op.results[0], visit.op.outputs[0]
        comparison = self.witness.value(index, visit.outputs[0], expected)
        label = self.naming.twins.get(name, "torch")
        return Twin(label, visit.op.name, expected, comparison)

    def _arguments(self, visit: Visit) -> dict[str, str]:
        """The rule's argument names -> names on the screen."""
        if visit.rule is None:
            return {}
        op = visit.op
        flat = list(tensors((op.args, op.kwargs)))
        shown = {
            id(tensor): self.names.get(value, f"v{value}")
            for tensor, value in zip(flat, op.inputs, strict=True)
        }
        bound = parameters_of(visit.rule.function).bind(*op.args, **op.kwargs).arguments
        return {
            name: shown[id(argument)]
            for name, argument in bound.items()
            if isinstance(argument, Tensor)
        }

    def _seed(self) -> None:
        root = self.backward.roots[0]
        name = self.cotangent_names[root] = f"d{self.names.get(root, 'loss')}"
        value = self.derivation.cotangents[root]
        step = Step(
            index=len(self.steps),
            phase="backward",
            group=len(self.groups),
            layer="",
            name=name,
            label=name,
            value=value,
            formula=f"{name} = {value.item():g}" if value.numel() == 1 else f"{name} = seed",
            algebra=shape_text(value),
            note=self.naming.notes.get("backward " + name, ""),
        )
        group = Group(
            step.group, "backward", "", "loss.backward()", "seed", None, None, "", None, (step.index,)
        )
        self.steps.append(step)
        self.groups.append(group)

    def _backward(self, visit: Visit) -> None:
        op = visit.op
        if visit.rule is None or visit.backward is None:
            self._close("backward", visit, [], None)
            return
        scope = self.scopes[op.index]
        taken = list(visit.backward.__code__.co_varnames[: len(op.results)])
        for parameter, value in zip(taken, op.results, strict=False):
            scope[parameter] = self.cotangent_names.get(value, "0")
        wanted = self._wanted(visit)
        lines = needed(visit.backward_lines, wanted)
        last = {line.target: position for position, line in enumerate(lines)}
        drafts: list[Step] = []
        for position, line in enumerate(lines):
            value = wanted.get(line.target) if last[line.target] == position else None
            drafts.append(self._cotangent_step(line, scope, value))
            if value is not None:
                drafts.extend(self._added(value, drafts[-1]))
        for target, value in wanted.items():
            if target not in last:  # handed through unchanged
                self.cotangent_names.setdefault(value, scope.get(target, target))
        isolated = self._isolated(op)
        self._close("backward", visit, drafts, isolated)

    def _wanted(self, visit: Visit) -> dict[str, int]:
        """The names that backward returns for inputs that need a gradient -> their values."""
        assert visit.rule is not None and visit.backward is not None
        op = visit.op
        names = returned(visit.backward)
        parameters = list(parameters_of(visit.rule.function).parameters)
        bound = parameters_of(visit.rule.function).bind(*op.args, **op.kwargs).arguments
        values = dict(
            zip(map(id, tensors((op.args, op.kwargs))), op.inputs, strict=True)
        )
        found = {}
        for parameter, name in zip(parameters, names, strict=False):
            argument = bound.get(parameter)
            if name is not None and isinstance(argument, Tensor):
                value = values[id(argument)]
                if self.tape.values[value].requires_grad:
                    found[name] = value
        return found

    def _cotangent_step(self, line: Line, scope: dict[str, str], value: int | None) -> Step:
        if value is None:
            generic = line.target
            self.used[generic] += 1
            if self.used[generic] > 1:
                generic = f"{generic}_{self.used[generic]}"
            return self._draft("backward", line, scope, *self._named(generic))
        generic = f"d{self.names.get(value, f'v{value}')}"
        name, label = self._named(generic)
        if value in self.cotangent_names:
            name = label = f"{name}_2"
        else:
            self.cotangent_names[value] = name
        draft = self._draft("backward", line, scope, name, label)
        return draft if self.consumers[value] > 1 else replace(draft, twin=self._twin(value, draft.value))

    def _added(self, value: int, latest: Step) -> list[Step]:
        """Under fan-out, the step in which the contributions of several ops add up."""
        name = self.cotangent_names[value]
        if latest.name == name:
            return []
        total = self.derivation.cotangents[value]
        added = replace(
            latest,
            name=name,
            label=name,
            value=total,
            formula=f"{name} = {name} + {latest.name}",
            algebra=f"{shape_text(total)} + {shape_text(total)} = {shape_text(total)}",
            line=None,
            twin=self._twin(value, total),
        )
        return [added]

    def _twin(self, value: int, manual: Tensor) -> Twin | None:
        expected = self.backward.cotangents.get(value)
        if expected is None:
            return None
        comparison = self.witness.cotangent(value, manual, expected)
        path = self.tape.values[value].name
        label = self._gradient_label(path) if path else f"dL/d{self.names.get(value, value)}"
        return Twin(label, path, expected, comparison)

    def _gradient_label(self, path: str) -> str:
        if self.naming.numbered_gradients:
            return f"pgrad[{self._parameters().index(path)}]"
        return f'grad["{path}"]'

    def _parameters(self) -> list[str]:
        return [value.name for value in self._leaves_with_grad()]

    def _leaves_with_grad(self) -> list[Any]:
        return [value for value in self.tape.values if value.leaf and value.requires_grad]

    def _isolated(self, op: Op) -> Comparison | None:
        """The worst of the op's own cotangents, its rule fed with autograd's incoming ones."""
        visit = isolate(self.tape, self.backward, op)
        results = []
        for position, (value, manual) in enumerate(
            zip(op.inputs, visit.outgoing, strict=False)
        ):
            autograd = self.backward.cotangents.get(value)
            if manual is not None and autograd is not None and self.consumers[value] == 1:
                results.append(compare(manual, autograd, lambda p=position: self._wide(op, p)))
        return max(results, key=lambda item: item.verdict.rank, default=None)

    def _wide(self, op: Op, position: int) -> Tensor | None:
        return isolate(self.tape, self.backward, op, convert=widen).outgoing[position]

    def _gradients(self) -> list[Gradient]:
        found = []
        for value in self._leaves_with_grad():
            autograd = self.backward.cotangents.get(value.index)
            manual = self.derivation.cotangents.get(value.index)
            if autograd is not None and manual is not None:
                comparison = self.witness.cotangent(value.index, manual, autograd)
                label = self._gradient_label(value.name)
                found.append(Gradient(value.name, label, autograd, comparison))
        return found

    def _update(self) -> None:
        for update in self.tape.updates:
            rule = UPDATES.get(update.optimizer)
            if rule is not None:
                self._update_of(update, rule)

    def _update_of(self, update: Update, rule: Any) -> None:
        state = {key: item for key, item in update.state.items() if key != "step"}
        with torch.no_grad():
            lines, result = trace(rule, update.before, update.grad, **state, **update.options)

            def truth() -> Tensor:
                wide: Tensor = rule(widen(update.before), widen(update.grad), **state, **update.options)
                return wide

            comparison = compare(result, update.after, truth)
        name = self.names[update.value]
        scope = {"param": name, "grad": self._gradient_label(update.name), "lr": "lr"}
        drafts = [
            self._draft("update", line, scope, name if line is lines[-1] else line.target, None)
            for line in lines
        ]
        twin = Twin("torch", update.optimizer.__name__, update.after, comparison)
        drafts[-1] = replace(drafts[-1], twin=twin)
        layer, _, _ = update.name.rpartition(".")
        group = Group(
            index=len(self.groups),
            phase="update",
            layer=layer,
            title=f"{update.optimizer.__name__} {update.name}",
            op=update.optimizer.__name__,
            rule=rule.__name__,
            source=None,
            formula="",
            isolated=comparison,
            steps=(),
        )
        self._append(group, drafts)

    def _named(self, generic: str) -> tuple[str, str]:
        return self.naming.steps.get(generic, (generic, generic))

    def _draft(
        self, phase: str, line: Line, scope: dict[str, str], name: str, label: str | None
    ) -> Step:
        """A step not yet placed; the line's target is called `name` from here on."""
        text = formula(line, scope, label or name)
        names = {**scope, line.target: name}
        scope[line.target] = name
        return Step(
            index=-1,
            phase=phase,
            group=-1,
            layer="",
            name=name,
            label=label or name,
            value=line.value,
            formula=text,
            algebra=algebra(line),
            note=self.naming.notes.get(f"{phase} {name}", ""),
            line=line,
            names=names,
        )

    def _close(
        self, phase: str, visit: Visit, drafts: list[Step], isolated: Comparison | None
    ) -> None:
        op = visit.op
        source = (op.source.file, op.source.line) if op.source else None
        group = Group(
            index=len(self.groups),
            phase=phase,
            layer=op.module,
            title=_title(op),
            op=op.name,
            rule=visit.rule.name if visit.rule else None,
            source=source,
            formula=formula_of(op.node) if phase == "backward" else "",
            isolated=isolated,
            steps=(),
        )
        self._append(group, drafts)

    def _append(self, group: Group, drafts: list[Step]) -> None:
        first = len(self.steps)
        for draft in drafts:
            step = replace(draft, index=len(self.steps), group=group.index, layer=group.layer)
            self.steps.append(step)
        self.groups.append(replace(group, steps=tuple(range(first, len(self.steps)))))


def _title(op: Op) -> str:
    """``0 Linear 3→4``: module path, its type or the op, and how the width changes."""
    name = op.module_type or op.name
    ends = [tensor.shape[-1] for tensor in (*tensors(op.args), *op.outputs) if tensor.dim()]
    width = f" {ends[0]}→{ends[-1]}" if op.module and ends and ends[0] != ends[-1] else ""
    return " ".join(filter(None, [op.module, name])) + width
