"""The ops of a tape as steps that work out what is said of them when one asks.

A large tape has 100,000, of which few are ever looked at. So to make one costs as little as can
be: each notes what it is of, past the `__init__` of a frozen dataclass, which is slow.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import Any

from torch import Tensor

from .compare import Comparison, Verdict
from .formula import shape_text
from .judge import Judged
from .rules import registry
from .steps import Gradient, Group, Heading, Step, Twin
from .tape import Op, tensors
from .torch_formulas import telling

INFIX = {"add": "+", "sub": "−", "mul": "∘", "div": "/", "matmul": "·"}
_NO_NAMES: Mapping[str, str] = MappingProxyType({})


class _OfOp(Step):
    """A step that an op tells."""

    _op: Op
    _values: Mapping[int, str]  # the names of the tape's values

    @property
    def layer(self) -> str:
        return self._op.module

    @property
    def name(self) -> str:
        return identifier(self.label)

    @property
    def names(self) -> Mapping[str, str]:
        return _NO_NAMES


class OpStep(_OfOp):
    """What torch computed in one op, the only step of its group; they are numbered alike."""

    def __init__(
        self, index: int, phase: str, op: Op, label: str, values: Mapping[int, str]
    ) -> None:
        self.__dict__.update(index=index, phase=phase, label=label, _op=op, _values=values)

    @property
    def group(self) -> int:
        return self.index

    @property
    def value(self) -> Tensor:
        return self._op.outputs[0]

    @cached_property
    def formula(self) -> str:
        op = self._op
        reads = [within(self._values[value], op.module) for value in op.inputs]
        return f"{self.label} = {call(op, reads)}"

    @cached_property
    def algebra(self) -> str:
        op = self._op
        shapes = ", ".join(map(shape_text, tensors((op.args, op.kwargs))))
        return f"{shapes} → {shape_text(self.value)}"

    @cached_property
    def reads(self) -> tuple[str, ...]:
        return tuple(identifier(self._values[value]) for value in self._op.inputs)

    @cached_property
    def operands(self) -> tuple[Any, ...]:
        op = self._op
        return (*tensors((op.args, op.kwargs)), *op.args, *op.kwargs.values())


class CotangentStep(_OfOp):
    """What one op gives to the cotangent of one of its inputs.

    Args:
        generic: the name of that input.
        shares: the labels of what other ops gave to it before, which are added here; None where
            more is to come.
    """

    def __init__(
        self,
        index: int,
        group: int,
        op: Op,
        generic: str,
        manual: Tensor,
        shares: Sequence[str] | None,
        twin: Twin | None,
        values: Mapping[int, str],
        note: str,
    ) -> None:
        label = f"d{generic}" if shares is not None else f"d{generic}_via{op.index}"
        self.__dict__.update(
            index=index,
            phase="backward",
            group=group,
            label=label,
            value=manual,
            twin=twin,
            note=note,
            _op=op,
            _shares=shares or (),
            _values=values,
        )

    _shares: Sequence[str]

    @property
    def _incoming(self) -> list[str]:
        return [self._values[value] for value in self._op.results]

    @cached_property
    def formula(self) -> str:
        module = self._op.module
        given = ", ".join(f"d{within(name, module)}" for name in self._incoming)
        terms = " + ".join([f"{self._op.name}′({given})", *self._shares])
        return f"d{within(self.label[1:], module)} = {terms}"

    @cached_property
    def algebra(self) -> str:
        return shape_text(self.value)

    @cached_property
    def reads(self) -> tuple[str, ...]:
        labels = [f"d{name}" for name in self._incoming]
        return tuple(map(identifier, (*labels, *self._shares)))


class _Compared:
    """A cotangent of autograd's; only its verdict is known before one asks for figures."""

    _judged: Judged
    _number: int

    @cached_property
    def comparison(self) -> Comparison:
        return self._judged.comparison(self._number)


class JudgedGradient(_Compared, Gradient):
    """A parameter's gradient."""

    def __init__(self, judged: Judged, value: int, path: str) -> None:
        self.__dict__.update(
            name=path,
            label=f'grad["{path}"]',
            value=judged.backward.cotangents[value],
            _judged=judged,
            _number=value,
        )


class JudgedTwin(_Compared, Twin):
    """Autograd's cotangent of a value, a parameter's at its path."""

    def __init__(self, judged: Judged, value: int, path: str, name: str) -> None:
        self.__dict__.update(
            label=f'grad["{path}"]' if path else f"dL/d{name}",
            detail=path,
            value=judged.backward.cotangents[value],
            _judged=judged,
            _number=value,
        )

    @property
    def verdict(self) -> Verdict:
        standing = self._judged.chained.get(self._number)
        return Verdict.UNCHECKED if standing is None else standing.verdict


class OpGroup(Group):
    """One op of a tape in one phase."""

    isolated = None

    def __init__(
        self, index: int, phase: str, op: Op, steps: tuple[int, ...], headings: tuple[Heading, ...]
    ) -> None:
        self.__dict__.update(index=index, phase=phase, steps=steps, headings=headings, _op=op)

    _op: Op

    @property
    def layer(self) -> str:
        return self._op.module

    @property
    def op(self) -> str:
        return self._op.name

    @property
    def call(self) -> int:
        return self._op.index

    @cached_property
    def title(self) -> str:
        return f"{self.layer} {self.op}".lstrip()

    @property
    def rule(self) -> str | None:
        rule = registry.find(self._op.function)
        return rule.name if rule else None

    @cached_property
    def source(self) -> tuple[str, int] | None:
        source = self._op.source
        return (source.file, source.line) if source else None

    @property
    def node(self) -> str:
        return ""


class JudgedGroup(OpGroup):
    """One op on the way back, judged alone."""

    def __init__(
        self,
        index: int,
        op: Op,
        steps: tuple[int, ...],
        headings: tuple[Heading, ...],
        isolated: Comparison,
        failed: bool,
    ) -> None:
        super().__init__(index, "backward", op, steps, headings)
        self.__dict__.update(isolated=isolated, _failed=failed)

    _failed: bool

    @property
    def rule(self) -> str | None:
        return None if self._failed else super().rule

    @property
    def node(self) -> str:
        return telling(self._op)


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
