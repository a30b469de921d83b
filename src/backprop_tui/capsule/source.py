"""The source of one function or class: its text, the names that it reads, what they stand for."""

from __future__ import annotations

import ast
import inspect
import symtable
import sys
import textwrap
import types
from collections.abc import Mapping
from typing import Any

from ..errors import UserError


def source_of(value: Any) -> tuple[str, str]:
    """The text that defines a function or class, without `@rule(…)`, and its name there."""
    try:
        text = textwrap.dedent(inspect.getsource(value))
        definition = ast.parse(text).body[0]
    except (OSError, TypeError, SyntaxError, IndexError) as error:
        raise UserError(f"there is no source of {value.__qualname__} to copy") from error
    if not isinstance(definition, (ast.FunctionDef, ast.ClassDef)):
        raise UserError(f"{value.__qualname__} has no definition of its own to copy")
    lines = text.rstrip().split("\n")
    kept = [
        line
        for decorator in definition.decorator_list
        if not _declares_rule(decorator)
        for line in lines[decorator.lineno - 1 : decorator.end_lineno]
    ]
    return "\n".join([*kept, *lines[definition.lineno - 1 :]]), definition.name


def _declares_rule(decorator: ast.expr) -> bool:
    function = decorator.func if isinstance(decorator, ast.Call) else decorator
    return getattr(function, "attr", getattr(function, "id", "")) == "rule"


def environment_of(value: Any) -> Mapping[str, Any]:
    """What the names of a function or class stand for, outside it."""
    members = [value] if isinstance(value, types.FunctionType) else list(vars(value).values())
    home = sys.modules.get(value.__module__)
    found = dict(vars(home)) if home is not None else {}
    for member in members:
        function = inspect.unwrap(getattr(member, "__func__", member))
        if isinstance(function, types.FunctionType):
            found |= function.__globals__
            cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
            found |= {name: cell.cell_contents for name, cell in cells if name != "__class__"}
    return found


def reads(source: str) -> set[str]:
    """The names that a text reads and does not define."""

    def read(table: symtable.SymbolTable) -> set[str]:
        top = table.get_type() == "module"
        names = {s.get_name() for s in table.get_symbols() if s.is_referenced()}
        own = {s.get_name() for s in table.get_symbols() if not s.is_global() and not top}
        return (names - own).union(*map(read, table.get_children()))

    return read(symtable.symtable(source, "source", "exec"))


def renamed(source: str, names: Mapping[str, str]) -> str:
    """The text with each name replaced that has another one now."""
    lines = source.encode().split(b"\n")
    places: list[tuple[int, int, str]] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name):
            places.append((node.lineno, node.col_offset, node.id))
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.col_offset == 0:
            head = "def " if isinstance(node, ast.FunctionDef) else "class "
            places.append((node.lineno, len(head), node.name))
    for number, start, name in sorted(places, reverse=True):
        line, new = lines[number - 1], names.get(name, name)
        lines[number - 1] = line[:start] + new.encode() + line[start + len(name.encode()) :]
    return b"\n".join(lines).decode()
