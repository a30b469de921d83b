"""What modules and tensors are called: by their path in the model, or by the user's variable."""

from __future__ import annotations

import inspect
import itertools
import re
import sys
import types
import weakref
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from .frames import users_frames
from .private import unseen
from .tape import Source, Unregistered

_ITEMS = 64
"""Of a longer collection the others have no name."""


class Modules:
    """The paths of all modules, and the names of their parameters and buffers.

    Args:
        model: whose modules they are.
        discover: take in each model that is met while it is called. The first has its
            paths as in its state_dict, others have the name of their variable before them.
    """

    def __init__(self, model: nn.Module | None, discover: bool = False) -> None:
        self.discovers = discover
        self._roots: list[tuple[str, weakref.ref[nn.Module]]] = []
        self._paths: dict[nn.Module, str] = {}
        self._names: dict[int, str] = {}
        self._variables: dict[int, tuple[weakref.ref[Tensor], str]] = {}
        self.unregistered: dict[str, Unregistered] = {}
        if model is not None:
            self._add("", model)

    def refresh(self) -> None:
        """Look at the models again: parts may have come or gone since."""
        roots, self._roots = self._roots, []
        self._paths.clear()
        self._names.clear()
        for prefix, root in roots:
            if (module := root()) is not None:
                self._add(prefix, module)

    def meet(self, module: nn.Module, caller: nn.Module | None = None) -> None:
        """A module is called: if it belongs to an unknown model, the model is known from now on."""
        if module in self._paths:
            return
        with unseen():
            self._take_in(module, caller)

    def _take_in(self, module: nn.Module, caller: nn.Module | None) -> None:
        root, variable = _outermost(module)
        named = any(True for _ in module.parameters())
        first = named and not any(prefix == "" for prefix, _ in self._roots)
        prefix = "" if first else variable or type(root).__name__
        if named and root is module and caller is not None:
            held, unregistered = _unregistered(module, caller)
            prefix = ".".join(filter(None, (self.path(caller), held))) or prefix
            self.unregistered[prefix] = unregistered
        self._add(prefix, root)

    def path(self, module: nn.Module) -> str:
        """Where a module is in its model, "" for the model itself and for strangers."""
        return self._paths.get(module, "")

    def name(self, tensor: Tensor) -> str:
        """The path of a parameter or buffer, "" for any other tensor."""
        return self._names.get(id(tensor), "")

    def variable(self, leaf: Tensor) -> str:
        """What the program calls a leaf that is in no model, "" if it cannot be told.

        Asked once for each: to look into a function's frame makes Python hold on to its variables.
        """
        known = self._variables.get(id(leaf))
        if known is None or known[0]() is not leaf or not known[1]:
            known = self._variables[id(leaf)] = weakref.ref(leaf), _variable(leaf)
        return known[1]

    @property
    def types(self) -> Mapping[str, str]:
        """Path -> the name of the module's class."""
        return {path: type(module).__name__ for module, path in self._paths.items()}

    @property
    def parameters(self) -> Mapping[str, tuple[int, ...]]:
        """Path -> the shape of every parameter that requires grad."""
        return {
            self._names[id(parameter)]: tuple(parameter.shape)
            for module in self._paths
            for parameter in module._parameters.values()
            if parameter is not None and parameter.requires_grad and id(parameter) in self._names
        }

    def _add(self, prefix: str, root: nn.Module) -> None:
        self._roots.append((prefix, weakref.ref(root)))
        self._name(prefix, root)

    def _name(self, path: str, module: nn.Module) -> None:
        """As `named_modules` does, which takes thrice as long."""
        if module in self._paths:
            return
        self._paths[module] = path
        below = f"{path}." if path else ""
        for held in (module._parameters, module._buffers):
            for name, tensor in held.items():
                if tensor is not None:
                    self._names.setdefault(id(tensor), below + name)
        for name, part in module._modules.items():
            if part is not None:
                self._name(below + name, part)


def _outermost(module: nn.Module) -> tuple[nn.Module, str]:
    """The largest model in sight of the running frames that holds `module`, with its variable."""
    root, size, variable = module, 0, ""
    for frame in users_frames(sys._getframe(1)):
        for name, value in (*frame.f_locals.items(), *frame.f_globals.items()):
            if isinstance(value, nn.Module):
                parts = list(value.modules())
                if len(parts) > size and any(part is module for part in parts):
                    root, size, variable = value, len(parts), name
    return root, "" if variable == "self" else variable


def _unregistered(module: nn.Module, caller: nn.Module) -> tuple[str, Unregistered]:
    """What of the caller's holds a module ("layers[0]"), and where that is assigned."""
    owner = type(caller)
    for attribute, held in vars(caller).items():
        items = held.items() if isinstance(held, dict) else enumerate(_sequence(held))
        for key, item in items:
            if item is module:
                source = _assignment(owner, attribute)
                return f"{attribute}[{key!r}]", Unregistered(owner.__name__, attribute, source)
    return "", Unregistered(owner.__name__, "", None)


def _sequence(held: object) -> Sequence[object]:
    return held if isinstance(held, (list, tuple)) else ()


def _assignment(owner: Any, attribute: str) -> Source | None:
    """The first line of a class's __init__ that assigns to an attribute of self."""
    code = owner.__init__.__code__
    try:
        lines, first = inspect.getsourcelines(code)
    except (OSError, TypeError):
        return None
    for number, line in enumerate(lines, first):
        if re.match(rf"\s*self\.{attribute}\b[^=]*=", line):
            return Source(code.co_filename, number, code.co_name)
    return None


def _variable(tensor: Tensor) -> str:
    """The variable that holds a tensor in the nearest frame that has one, "" for none."""
    for frame in users_frames(sys._getframe(1)):
        for name, value in frame.f_locals.items():
            for path, item in _parts(name, value):
                if item is tensor:
                    return path
    return ""


def _parts(name: str, value: object) -> Iterator[tuple[str, object]]:
    """A variable, its items, and what it has as plain attributes."""
    yield name, value
    if isinstance(value, (list, tuple)):
        for position, item in enumerate(value[:_ITEMS]):
            yield f"{name}[{position}]", item
    elif type(value) is dict:
        for key, item in itertools.islice(value.items(), _ITEMS):
            yield f"{name}[{key!r}]", item
    elif not isinstance(value, (types.ModuleType, type, Tensor)):
        for attribute, item in list(_attributes(value).items()):
            if isinstance(item, (Tensor, list, tuple)) or type(item) is dict:
                yield from _parts(f"{name}.{attribute}", item)


def _attributes(value: object) -> Mapping[str, object]:
    """An object's own, without running any code of the program's."""
    try:
        held: Mapping[str, object] = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return {}
    return held
