"""A training step as a list of small steps: what the screen, the transcript and the REPL read."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from .compare import Comparison, Verdict
from .compare import worst as worst_of
from .lines import Line
from .torch_formulas import formula_of

__all__ = ["Given", "Group", "Heading", "Line", "Step", "Trace", "Twin"]


@dataclass(frozen=True)
class Twin:
    """The tensor of autograd, or of torch's forward, that a step's value stands beside.

    `comparison` is chained: all the way by hand against all the way by torch.
    """

    label: str
    detail: str
    value: Tensor
    comparison: Comparison

    @property
    def verdict(self) -> Verdict:
        """The comparison's, which may be known before its figures are."""
        return self.comparison.verdict


@dataclass(frozen=True)
class Step:
    """The smallest step of the debugger: one value comes into being.

    Attributes:
        phase: "forward", "loss", "backward" or "update".
        group: the visit to an op that it belongs to, an index into `Trace.groups`.
        layer: module path, "" for what stands outside the model.
        name: its Python identifier in the REPL, "sum_rex2"; `label` as shown, "sum(rex2)".
        formula: "rex4 = reᵀ · x4"; `algebra`: the shapes, "2×5ᵀ · 2×4 = 5×4".
        note: a sentence of the lesson, may be empty.
        line: the rule's line; None for what no rule computes, such as dL/dloss = 1.
        names: the rule's own names -> names on the screen ("dy" -> "re"), as the line read them.
        reads: the names on the screen that it was computed from.
        operands: what an op was called with, where no line stands for it.
    """

    index: int
    phase: str
    group: int
    layer: str
    name: str
    label: str
    value: Tensor
    formula: str
    algebra: str
    note: str = ""
    line: Line | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    reads: tuple[str, ...] = ()
    operands: tuple[Any, ...] = ()
    twin: Twin | None = None

    @cached_property
    def health(self) -> str:
        """As `health` says; looked for once, when asked."""
        return health(self.value, self.line.operands if self.line else self.operands)


@dataclass(frozen=True)
class Heading:
    """A heading over ops: the call of a module, or of a function made of ops.

    Attributes:
        key: tells it from its neighbours: the module's path, or a function's name and number.
        title: what it is called under the heading above it.
    """

    key: str
    title: str


@dataclass(frozen=True)
class Group:
    """One op visited in one phase: a foldable heading over its steps.

    `isolated` judges the op alone: its rule fed with autograd's own incoming cotangent.
    `node` is what autograd made of it, on the way back, and `formula` PyTorch's own derivative
    of that, a line for each argument; both are "" where no node tells.
    `headings` are those that it stands under, the outermost first, and `call` is the op's
    number on the tape, or `update` that of the update that it is.
    """

    index: int
    phase: str
    layer: str
    title: str
    op: str
    rule: str | None
    source: tuple[str, int] | None
    node: str
    isolated: Comparison | None
    steps: tuple[int, ...]
    headings: tuple[Heading, ...] = ()
    call: int | None = None
    update: int | None = None

    @property
    def inner(self) -> bool:
        """Whether it is one step that stands for the lines of a rule."""
        return self.call is not None or self.update is not None

    @property
    def formula(self) -> str:
        return formula_of(self.node) if self.node else ""


@dataclass(frozen=True)
class Given:
    """A tensor that the step starts from: x, P0, …, y."""

    name: str
    label: str
    detail: str
    value: Tensor
    phase: str

    @cached_property
    def health(self) -> str:
        """As a step's; a −∞ that is given is a mask's."""
        return health(self.value, (-math.inf,))


@dataclass(frozen=True)
class Gradient:
    """A parameter's gradient as autograd left it, beside the hand-made one."""

    name: str
    label: str
    value: Tensor
    comparison: Comparison


@dataclass(frozen=True, eq=False)
class Trace:
    """One training step, computed whole; the screen shows it up to a cursor.

    Attributes:
        iteration: 1-based.
        constants: plain numbers that the formulas use, such as lr.
        gradients: one for each parameter, in the model's order.
        autograd_at: index of the step from which autograd's gradients exist.
        warning: why manual and autograd are expected to differ, or what is missing, or "".
        pending: how many ops the way back has not come to yet.
        dimensions: a lesson's table of (what is computed, its shapes).
    """

    title: str
    iteration: int
    given: tuple[Given, ...]
    groups: tuple[Group, ...]
    steps: tuple[Step, ...]
    loss: float
    constants: Mapping[str, float]
    gradients: tuple[Gradient, ...]
    autograd_at: int
    warning: str = ""
    pending: int = 0
    dimensions: tuple[tuple[str, str], ...] = ()

    def worst(self, at: int | None = None) -> Verdict:
        """The worst verdict of the steps up to `at`, inclusive; of all without it."""
        steps = self.steps if at is None else self.steps[: at + 1]
        return worst_of(step.twin.comparison for step in steps if step.twin)

    def namespace(self, at: int, wanted: Iterable[str] | None = None) -> dict[str, Any]:
        """The names that hold at step `at` (inclusive), as the REPL binds them.

        `pgrad` is a list and `grad` a dict by parameter path; both hold None until
        autograd has run.

        Args:
            wanted: of the steps' names only these, which are found without looking through the
                steps; all of them by default.
        """
        names: dict[str, Any] = dict(self.constants)
        names.update((item.name, item.value) for item in self.given)
        known = at >= self.autograd_at
        names["pgrad"] = [item.value if known else None for item in self.gradients]
        names["grad"] = {item.name: item.value if known else None for item in self.gradients}
        for name in self._bindings if wanted is None else wanted:
            steps = self._bindings.get(name, ())
            if number := bisect_right(steps, at):
                step = self.steps[steps[number - 1]]
                twin = step.twin
                names[name] = twin.value if twin and twin.label == name else step.value
        return names | {"torch": torch}  # which is also what a twin may be called

    @cached_property
    def _bindings(self) -> Mapping[str, list[int]]:
        """Name -> the steps that bind it, in order; a twin's name is bound by its step."""
        found: dict[str, list[int]] = {}
        for step in self.steps:
            found.setdefault(step.name, []).append(step.index)
            if step.twin is not None and step.twin.label.isidentifier():
                found.setdefault(step.twin.label, []).append(step.index)
        return found


def health(value: Tensor, operands: Iterable[Any] = ()) -> str:
    """``NaN``, ``inf`` or ``zero`` if a tensor of real or complex numbers holds any, or all, of it.

    NaN comes before inf; what is sound, or no such tensor, has an empty string. A −∞ that was
    there already, in one of the `operands`, is no alarm but ``-inf``: masks are made of it.
    """
    low, high = _extremes(value)
    if math.isnan(low):
        return "NaN"
    if math.isinf(high):
        return "inf"
    if math.isinf(low):
        return "-inf" if any(_extremes(part)[0] == low for part in operands) else "inf"
    return "zero" if low == high == 0 else ""


def _extremes(value: Any) -> tuple[float, float]:
    """The smallest and the largest number of a tensor; (1, 1) of what holds no numbers."""
    if isinstance(value, float):
        return value, value
    if not isinstance(value, Tensor) or not value.numel():
        return 1.0, 1.0
    if not (value.is_floating_point() or value.is_complex()):
        return 1.0, 1.0
    dense = value.detach() if value.layout is torch.strided else value.detach().to_dense()
    if dense.is_complex():
        dense = torch.view_as_real(dense.resolve_conj())
    low, high = map(float, torch.aminmax(dense))  # a NaN among the elements is both
    return low, high
