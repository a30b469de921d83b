"""Python code taken out of its module, with everything that it needs: one text, in order."""

from __future__ import annotations

import builtins
import json
import math
import sys
import types
from collections.abc import Iterable
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from ..errors import UserError
from . import constants
from .source import environment_of, reads, renamed, source_of

_AT_HAND = {*sys.stdlib_module_names, "torch", "numpy"}
_PLAIN = (type(None), bool, int, bytes, range, torch.dtype, torch.layout, torch.memory_format)


class Code(str):
    """A text that is an expression already."""


class Sources:
    """Definitions, collected by naming what is needed.

    Functions and classes that Python wrote are copied, with what they refer to; what comes
    with Python, torch or numpy is imported; data are written down as they are now.

    Attributes:
        imports: the import statements, and `definitions` the texts that stand below them.
        foreign: what had to be imported from elsewhere, and so is needed beside the text.
        large: tensors that are too large for the text, which finds them by name in `LARGE`.

    Args:
        taken: names that nothing may be given.
    """

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self.imports: set[str] = set()
        self.definitions: list[str] = []
        self.foreign: set[str] = set()
        self.large: dict[str, Tensor] = {}
        self._taken = {*taken, *dir(builtins)}
        self._names: dict[tuple[str, int], str] = {}
        self._kept: list[Any] = []  # an id is a thing's own for as long as the thing is held

    def refer(self, value: Any, name: str, home: str = "__main__") -> str:
        """The name that `value` has in the text, defined there from now on.

        Args:
            name: what it is called in the module `home`, and here, unless that is taken.

        Raises:
            UserError: for what has no source, cannot be written down and not be imported.
        """
        key = ("" if _copied(value) else name, id(value))
        if key not in self._names:
            self._kept.append(value)
            self._names[key] = own = self._free(name)
            if isinstance(value, types.ModuleType):
                self._import(value.__name__, own)
            elif _copied(value):
                self._copy(value, own)
            elif (public := _public(value)) is not None:
                self._import(*public, own)
            else:
                self._write(value, name, own, home)
        return self._names[key]

    def expression(self, value: Any, name: str = "value") -> str:
        """Python for a value: numbers, texts, tensors, functions, and containers of them.

        Raises:
            UserError: for anything else.
        """
        match value:
            case Code():
                return value
            case str():
                return json.dumps(value, ensure_ascii=False)
            case float():
                return repr(value) if math.isfinite(value) else f'float("{value}")'
            case complex():
                return f"complex({self.expression(value.real)}, {self.expression(value.imag)})"
            case Tensor():
                return constants.expression(value, name, self)
            case tuple():
                items = [self.expression(item, name) for item in value]
                return f"({', '.join(items)}{',' if len(items) == 1 else ''})"
            case list():
                return f"[{', '.join(self.expression(item, name) for item in value)}]"
            case dict():
                pairs = ((self.expression(k), self.expression(v, name)) for k, v in value.items())
                return f"{{{', '.join(f'{key}: {item}' for key, item in pairs)}}}"
            case slice():
                parts = (value.start, value.stop, value.step)
                return f"slice({', '.join(self.expression(part, name) for part in parts)})"
            case torch.device():
                return f'torch.device("{value}")'
            case types.EllipsisType():
                return "..."
            case types.GenericAlias():
                inner = ", ".join(self.expression(item, name) for item in value.__args__)
                return f"{self.expression(value.__origin__)}[{inner}]"
        if isinstance(value, _PLAIN):
            return repr(value)
        if getattr(value, "__module__", "") == "builtins" and hasattr(value, "__name__"):
            return str(value.__name__)
        if spelled := _spelled(value):
            return spelled
        if _copied(value) or _public(value):
            return self.refer(value, value.__name__)
        raise UserError(f"{name} cannot be written down: it is a {type(value).__name__}")

    def taken_out(self) -> list[str]:
        """The definitions so far, which from now on stand elsewhere."""
        found, self.definitions = self.definitions, []
        return found

    def _free(self, name: str) -> str:
        while name in self._taken:
            name = f"{name}_"
        self._taken.add(name)
        return name

    def _import(self, module: str, name: str, own: str = "") -> None:
        root = module.partition(".")[0]
        if root not in _AT_HAND or root == "numpy":
            self.foreign.add(root)
        if own:
            self.imports.add(f"from {module} import {name}" + (f" as {own}" if own != name else ""))
        else:
            self.imports.add(f"import {module}" + (f" as {name}" if name != module else ""))

    def _copy(self, value: Any, own: str) -> None:
        """The source of a function or class under the name `own`, what it needs before it."""
        source, name = source_of(value)
        known = environment_of(value)
        names = {name: own}
        for needed in sorted(reads(source) - {name}):
            if needed in known:
                home = known.get("__name__", "__main__")
                names[needed] = self.refer(known[needed], needed, home)
        self.definitions.append(renamed(source, names))

    def _write(self, value: Any, name: str, own: str, home: str) -> None:
        try:
            self.definitions.append(f"{own} = {self.expression(value, name)}")
        except UserError:
            if home == "__main__":
                raise
            self._import(home, name, own)


def _copied(value: Any) -> bool:
    """Whether a thing is a function or class written in Python, by someone else than torch."""
    if not isinstance(value, (types.FunctionType, type)):
        return False
    return (value.__module__ or "").partition(".")[0] not in _AT_HAND | {"builtins"}


def _public(value: Any) -> tuple[str, str] | None:
    """(module, name) that a thing of Python, torch or numpy can be imported by."""
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", "")
    if not isinstance(module, str) or module.partition(".")[0] not in _AT_HAND:
        return None
    return (module, name) if getattr(import_module(module), name, None) is value else None


def _spelled(function: Any) -> str:
    """How a torch function is written out in full, "" for what is none."""
    if not callable(function) or isinstance(function, type):
        return ""
    name = getattr(function, "__name__", "")
    known = torch.overrides.resolve_name(function) or f"torch.{name}"
    for spelling in (known, f"torch.ops.{known}"):
        try:
            if eval(spelling, {"torch": torch}) == function:
                return spelling
        except (AttributeError, NameError, SyntaxError):
            continue
    return ""
