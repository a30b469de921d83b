"""An op as code: the call that the program made, and the call of its rule."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..binding import answered, bound
from ..calls import written
from ..export import identifier
from ..rules import registry
from ..tape import Op, map_tensors, tensors
from ..visit import Visit
from .sources import Code, Sources

_WIDTH = 76  # columns of a call before its arguments stand one below the other


class Call:
    """One op with its tensors by name, as functions of the dict that holds them.

    Attributes:
        inputs: name -> tensor, one for each value that the op reads.
        names: value index -> its name.
    """

    def __init__(self, op: Op, sources: Sources) -> None:
        self._op, self._sources = op, sources
        self.inputs: dict[str, Tensor] = {}
        self.names: dict[int, str] = {}
        said = {
            id(tensor): path
            for name, argument in _named(op).items()
            for path, tensor in _paths(name, argument)
        }
        for value, tensor in zip(op.inputs, tensors((op.args, op.kwargs)), strict=True):
            name = self.names.setdefault(value, said[id(tensor)])
            self.inputs.setdefault(name, tensor)
            said[id(tensor)] = name
        self._said = said

    def made(self) -> str:
        """The function `op`."""
        op = self._op
        args, kwargs = self._arguments()
        body = []
        if written(op.function, op.args, op.kwargs) is not None:
            body.append(f"target = {args[0]}.clone()")
            args = (Code("target"), *args[1:])
        function = self._sources.expression(op.function, op.name)
        if isinstance(op.function, type):
            function += ".apply"
        called = self._called(function, args, kwargs)
        if op.name == "__setitem__":
            body += [called, "return target"]
        else:
            body.append(f"return {called}")
        return self._function("op(x)", "The call that the program made.", body)

    def by_hand(self, visit: Visit, answer: Any) -> str:
        """The function `by_hand`; `answer` is what the rule's backward returns, to see its form."""
        assert visit.rule is not None
        args, kwargs = self._arguments()
        rule = self._sources.refer(visit.rule.function, visit.rule.name)
        called = self._called(rule, args, visit.rule.keywords(kwargs))
        parts = answer if isinstance(answer, tuple) else (answer,)
        variables, gradients = self._gradients(visit, parts)
        taken = ", ".join(variables)
        if isinstance(answer, tuple) and len(parts) == 1:
            taken += ","
        complex_ = any(t.is_complex() for t in (*self.inputs.values(), *visit.incoming))
        given = "*[dy.conj() for dy in cotangents]" if complex_ else "*cotangents"
        body = [f"_, backward = {called}", f"{taken} = backward({given})", "return {"]
        for name, terms in gradients.items():
            body.append(f'    "{name}": fitted({" + ".join(terms)}, x["{name}"]),')
        body.append("}")
        return self._function("by_hand(x, cotangents)", "The gradients by the rule.", body)

    def _gradients(
        self, visit: Visit, parts: Sequence[Any]
    ) -> tuple[list[str], dict[str, list[str]]]:
        """Variables for a backward's answers, and input name -> what of them adds up to its own."""
        assert visit.rule is not None
        given = bound(visit.rule, visit.arguments)
        variables, terms = ["_"] * len(parts), dict[str, list[str]]()
        for name, position in answered(visit.rule, given, range(len(parts))).items():
            variable = "d" + identifier(_argument(name))
            for path, tensor, gradient in _pairs(variable, given.get(name), parts[position]):
                if gradient is not None:
                    variables[position] = variable
                    terms.setdefault(self._said[id(tensor)], []).append(path)
        return variables, terms

    def _arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The op's arguments, each tensor as the code that reads it."""

        def read(tensor: Tensor) -> Code:
            return Code(f'x["{self._said[id(tensor)]}"]')

        args, kwargs = map_tensors(read, (self._op.args, dict(self._op.kwargs)))
        return args, kwargs

    def _called(self, function: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
        said = [self._sources.expression(argument, "an argument") for argument in args]
        for name, argument in kwargs.items():
            said.append(f"{name}={self._sources.expression(argument, name)}")
        line = f"{function}({', '.join(said)})"
        if len(line) <= _WIDTH:
            return line
        return "\n".join([f"{function}(", *(f"    {argument}," for argument in said), ")"])

    def _function(self, head: str, doc: str, body: Sequence[str]) -> str:
        """A function whose body runs in the op's surroundings: its lots, and autocast."""
        lines = [f"def {head}:", f'    """{doc}"""']
        surroundings = self._op.ambient
        if "cpu" in surroundings.rng:
            lines.append("    torch.set_rng_state(RNG)")
        if "cuda" in surroundings.rng:
            lines.append("    torch.cuda.set_rng_state(CUDA_RNG)")
        indent = "    "
        for device, dtype in surroundings.autocast.items():
            lines.append(f'{indent}with torch.autocast("{device}", dtype={dtype}):')
            indent += "    "
        return "\n".join([*lines, textwrap.indent("\n".join(body), indent)])


def _named(op: Op) -> Mapping[str, Any]:
    """An op's arguments by the names that its rule gives them, or its own signature."""
    rule = registry.find(op.function)
    if rule is not None:
        return bound(rule, (op.args, dict(op.kwargs)))
    positions: Mapping[str, Any] = {
        **{str(place): argument for place, argument in enumerate(op.args)},
        **op.kwargs,
    }
    if not isinstance(op.function, type):
        return positions
    forward = op.function.forward  # type: ignore[attr-defined]
    names = list(inspect.signature(forward).parameters)
    if op.function.setup_context is torch.autograd.Function.setup_context:  # type: ignore[attr-defined]
        names = names[1:]  # ctx
    return dict(zip(names, op.args, strict=True)) if len(names) == len(op.args) else positions


def _argument(name: str) -> str:
    """What takes its arguments by position alone has x0, x1, …"""
    return f"x{name}" if name.isdigit() else name


def _paths(name: str, argument: Any) -> Iterator[tuple[str, Tensor]]:
    for path, tensor, _ in _pairs(_argument(name), argument, argument):
        yield path, tensor


def _pairs(path: str, argument: Any, other: Any) -> Iterator[tuple[str, Tensor, Any]]:
    """(path, tensor, its counterpart in `other`) for each tensor in an argument."""
    if isinstance(argument, Tensor):
        yield path, argument, other
    elif isinstance(argument, (tuple, list)) and isinstance(other, (tuple, list)):
        for place, (item, part) in enumerate(zip(argument, other, strict=False)):
            yield from _pairs(f"{path}[{place}]", item, part)
    elif isinstance(argument, Mapping) and isinstance(other, Mapping):
        for key, item in argument.items():
            yield from _pairs(f"{path}[{key!r}]", item, other.get(key))
