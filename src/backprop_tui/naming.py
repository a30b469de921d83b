"""What the values of a tape are called on the screen and in the REPL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from .binding import bound
from .lines import returned
from .tape import Tape, Value, tensors
from .visit import Visit


@dataclass(frozen=True)
class Naming:
    """What a lesson calls things; without one, values are x1, x2, … and gradients d<value>.

    Attributes:
        leaves: the path of a parameter, or "input 0", "input 1", … -> its name.
        steps: the name that a step would have had -> (name, label).
        twins: a step's name -> what torch calls the same tensor ("x6" -> "y_pred").
        notes: phase and name ("backward re") -> a sentence about that step.
        numbered_gradients: whether gradients are pgrad[i] rather than grad["path"].
        own_lines: whether forward lines are called as the rule calls them, not x1, x2, …
    """

    leaves: Mapping[str, str] = field(default_factory=dict)
    steps: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    twins: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    numbered_gradients: bool = False
    own_lines: bool = False


class Names:
    """The names given so far, while a tape is walked from its first op to its last update."""

    def __init__(self, tape: Tape, naming: Naming) -> None:
        self._naming = naming
        self._values: dict[int, str] = {}
        self._cotangents: dict[int, str] = {}
        self._forward_lines = 0
        self._locals: Counter[str] = Counter()
        leaves = [value for value in tape.values if value.leaf]
        self.parameters = [value.name for value in leaves if value.requires_grad]
        inputs = (value for value in leaves if not value.name)
        paths = {value.index: f"input {number}" for number, value in enumerate(inputs)}
        for value in leaves:
            path = paths.get(value.index, value.name)
            self._values[value.index] = naming.leaves.get(path, value.name or f"a{value.index}")
        if naming.own_lines:  # a line of the rule may be called as the user calls what it is given
            self._locals.update(self._values.values())

    def value(self, index: int) -> str:
        """The name of a value of the tape."""
        return self._values.get(index, f"v{index}")

    def cotangent(self, index: int) -> str | None:
        """The name of a value's cotangent, None as long as it has none."""
        return self._cotangents.get(index)

    def gradient(self, value: Value) -> str:
        """What autograd's gradient of a value is called."""
        if not value.name:
            return f"dL/d{self.value(value.index)}"
        if self._naming.numbered_gradients:
            return f"pgrad[{self.parameters.index(value.name)}]"
        return f'grad["{value.name}"]'

    def torch_twin(self, name: str) -> str:
        """What torch calls the forward value that a step named `name` made by hand."""
        return self._naming.twins.get(name, "torch")

    def note(self, phase: str, name: str) -> str:
        return self._naming.notes.get(f"{phase} {name}", "")

    def next_forward(self, target: str) -> tuple[str, str]:
        """(name, label) of the next forward line: x1, x2, …"""
        if self._naming.own_lines:
            return self.next_local(target)
        self._forward_lines += 1
        return self._named(f"x{self._forward_lines}")

    def next_local(self, target: str) -> tuple[str, str]:
        """(name, label) of a line on the way back that is no value's cotangent itself."""
        self._locals[target] += 1
        count = self._locals[target]
        return self._named(target if count == 1 else f"{target}_{count}")

    def next_cotangent(self, index: int) -> tuple[str, str]:
        """(name, label) of a contribution to a value's cotangent; under fan-out, also dx_2, …"""
        generic = f"d{self.value(index)}"
        first = self._cotangents.get(index)
        if first is not None:
            self._locals[generic] += 1
            return (f"{first}_{self._locals[generic]}",) * 2
        name, label = self.next_local(generic)
        self._cotangents[index] = name
        return name, label

    def hand_through(self, index: int, name: str) -> None:
        """The value's cotangent is one that has a name already."""
        self._cotangents.setdefault(index, name)

    def arguments(self, visit: Visit) -> dict[str, str]:
        """The rule's argument names -> names on the screen."""
        if visit.rule is None:
            return {}
        op = visit.op
        flat = tensors((op.args, op.kwargs))
        shown = {
            id(tensor): self.value(index) for tensor, index in zip(flat, op.inputs, strict=True)
        }
        return {
            name: shown[id(argument)]
            for name, argument in bound(visit.rule, (op.args, dict(op.kwargs))).items()
            if isinstance(argument, Tensor)
        }

    def results(self, visit: Visit, scope: Mapping[str, str]) -> None:
        """The op's outputs are called as the lines that bound them."""
        if visit.rule is None:
            return
        outputs = returned(visit.rule.function)
        if outputs and f"{outputs[0]}[0]" in scope:  # a list of them, bound to one name
            outputs = tuple(f"{outputs[0]}[{item}]" for item, _ in enumerate(visit.op.results))
        for index, name in zip(visit.op.results, outputs, strict=False):
            if isinstance(name, str) and name in scope:
                self._values.setdefault(index, scope[name])

    def incoming(self, visit: Visit, taken: Sequence[str]) -> dict[str, str]:
        """The parameters of the rule's backward -> names on the screen."""
        pairs = zip(taken, visit.op.results, strict=False)
        return {name: self._cotangents.get(index, "0") for name, index in pairs}

    def _named(self, generic: str) -> tuple[str, str]:
        return self._naming.steps.get(generic, (generic, generic))
