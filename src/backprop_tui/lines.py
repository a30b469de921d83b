"""A rule run under a line tracer: every statement that binds a tensor becomes a Line."""

from __future__ import annotations

import ast
import functools
import inspect
import linecache
import math
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import CodeType, FrameType, FunctionType
from typing import Any

from torch import Tensor

from .private import snapshot
from .tape import map_tensors


@dataclass(frozen=True)
class Line:
    """One statement of a rule as it ran, with what it read and what it bound.

    Attributes:
        function: "linear" or "linear.backward".
        file: path of the rule's file; `first` and `last` are line numbers in it.
        text: the statement's source, dedented.
        target: the name it bound, "dweight".
        reads: the names it read, with their values at that moment.
        value: the tensor it bound.
        item: which one it is, where it bound a list of them: each is a Line.
    """

    function: str
    file: str
    first: int
    last: int
    text: str
    target: str
    statement: ast.stmt
    reads: Mapping[str, Any]
    value: Tensor
    item: int | None = None

    @property
    def bound(self) -> str:
        """What it bound the tensor to, "dtensors[1]"."""
        return self.target if self.item is None else f"{self.target}[{self.item}]"

    @property
    def operands(self) -> tuple[Any, ...]:
        """What it was computed from: the values it read, and a −∞ that it names."""
        named = (-math.inf,) if "-math.inf" in self.text else ()
        return (*self.reads.values(), *named)


def trace(function: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[list[Line], Any]:
    """Call `function` and return the lines it ran, with its result.

    A tracer that is already set (a coverage tool, a debugger) is put back afterwards.
    """
    tracer = _Tracer(function)
    previous = sys.gettrace()
    sys.settrace(tracer.on_call)
    try:
        result = function(*args, **kwargs)
    finally:
        sys.settrace(previous)
    return tracer.lines, result


Answer = str | tuple[str | None, ...] | None


def returned(function: Callable[..., Any]) -> tuple[Answer, ...]:
    """The names in a rule's last ``return``, in order, and those in a list; else None.

    Where it returns another function's answer they are the names in that one.
    """
    body = _statements(function.__code__).definition.body
    final = body[-1]
    if not isinstance(final, ast.Return) or final.value is None:
        return ()
    if heir := handed_to(final, function.__globals__):
        return returned(heir)
    items = final.value.elts if isinstance(final.value, ast.Tuple) else [final.value]
    if items and isinstance(items[0], ast.Tuple):  # return (y, index), backward
        items = items[0].elts
    return tuple(
        tuple(map(_name, item.elts)) if isinstance(item, ast.List) else _name(item)
        for item in items
    )


def handed_to(statement: ast.stmt | None, names: Mapping[str, Any]) -> FunctionType | None:
    """f, of ``return f(…)``: the rule goes on in that function."""
    match statement:
        case ast.Return(value=ast.Call(func=ast.Name(id=name))):
            found = names.get(name)
            return found if isinstance(found, FunctionType) else None
    return None


def _name(expression: ast.expr) -> str | None:
    return expression.id if isinstance(expression, ast.Name) else None


def needed(lines: Sequence[Line], wanted: Iterable[str]) -> list[Line]:
    """The lines that the names in `wanted` depend on: the rest computed what nobody asked for."""
    live, kept = set(wanted), []
    for line in reversed(lines):
        if not live.isdisjoint((line.target, line.bound)):
            if line.item is None and line.target not in line.reads:
                live.discard(line.target)
            live.update(line.reads)
            kept.append(line)
    return kept[::-1]


def source(line: Line) -> tuple[int, list[str]]:
    """The whole rule that `line` stands in: the number of its first line, and its lines."""
    whole = linecache.getlines(line.file)
    tree = ast.parse("".join(whole))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.lineno <= line.first <= (
            node.end_lineno or node.lineno
        ):
            first = min([node.lineno, *(item.lineno for item in node.decorator_list)])
            text = whole[first - 1 : node.end_lineno]
            return first, [item.rstrip("\n") for item in text]
    return line.first, line.text.splitlines()


class _Tracer:
    """Follows one function's own frame, then that of one whose answer it returns."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.lines: list[Line] = []
        self._reads: dict[str, Any] = {}
        self._follow(function)

    def on_call(self, frame: FrameType, event: str, argument: Any) -> Any:
        heir = handed_to(self._current, self._names)
        if heir is not None and frame.f_code is heir.__code__:
            self._follow(heir)
        return self._on_event if frame.f_code is self._code else None

    def _follow(self, function: Callable[..., Any]) -> None:
        self._code, self._names = function.__code__, function.__globals__
        self._known = _statements(self._code)
        self._current: ast.stmt | None = None

    def _on_event(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            statement = self._known.at.get(frame.f_lineno)
            again = statement is not None and frame.f_lineno == statement.lineno
            if statement is not self._current or again:
                self._finish(frame)
                self._begin(frame, statement)
        elif event == "return":
            self._finish(frame)
        return self._on_event

    def _begin(self, frame: FrameType, statement: ast.stmt | None) -> None:
        self._current = statement
        if statement is not None:
            values = frame.f_locals
            names = _names_read(statement)
            reads = {name: values[name] for name in names if name in values}
            self._reads = map_tensors(snapshot, reads)

    def _finish(self, frame: FrameType) -> None:
        statement, self._current = self._current, None
        if statement is None:
            return
        for target in _names_bound(statement):
            value = frame.f_locals.get(target)
            if isinstance(value, Tensor):
                self.lines.append(self._line(statement, target, snapshot(value)))
            for item, each in enumerate(value if isinstance(value, (list, tuple)) else ()):
                if isinstance(each, Tensor):
                    self.lines.append(self._line(statement, target, snapshot(each), item))

    def _line(
        self, statement: ast.stmt, target: str, value: Tensor, item: int | None = None
    ) -> Line:
        last = statement.end_lineno or statement.lineno
        rows = linecache.getlines(self._code.co_filename)[statement.lineno - 1 : last]
        return Line(
            function=self._code.co_qualname.replace(".<locals>", ""),
            file=self._code.co_filename,
            first=statement.lineno,
            last=last,
            text=textwrap.dedent("".join(rows)).rstrip(),
            target=target,
            statement=statement,
            reads=self._reads,
            value=value,
            item=item,
        )


@dataclass(frozen=True)
class _Statements:
    """A function's simple statements by line number."""

    definition: ast.FunctionDef
    at: Mapping[int, ast.stmt]


@functools.lru_cache(maxsize=1024)
def _statements(code: CodeType) -> _Statements:
    definition = _definition(code)
    at: dict[int, ast.stmt] = {}
    pending: list[ast.stmt] = list(definition.body)
    while pending:
        statement = pending.pop()
        if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            continue
        children = [
            child
            for field in ("body", "orelse", "finalbody")
            for child in getattr(statement, field, [])
        ]
        pending.extend(children)
        if not children:
            lines = range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)
            at.update(dict.fromkeys(lines, statement))
    return _Statements(definition, at)


def _definition(code: CodeType) -> ast.FunctionDef:
    """The function's own syntax tree, with the line numbers of its file.

    Raises:
        OSError: if the source cannot be read (a rule typed at a prompt, say).
    """
    lines = linecache.getlines(code.co_filename)
    if not lines:
        lines, _ = inspect.findsource(code)
    for node in ast.walk(_parse(code.co_filename, len(lines))):
        if isinstance(node, ast.FunctionDef) and node.name == code.co_name:
            first = min([node.lineno, *(item.lineno for item in node.decorator_list)])
            if first == code.co_firstlineno:
                return node
    raise OSError(f"no source for {code.co_qualname} in {code.co_filename}")


@functools.lru_cache(maxsize=256)
def _parse(file: str, length: int) -> ast.Module:
    return ast.parse("".join(linecache.getlines(file)))


def _names_read(statement: ast.stmt) -> list[str]:
    names = [
        node.id
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    ]
    if isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name):
        names.append(statement.target.id)
    return list(dict.fromkeys(names))


def _names_bound(statement: ast.stmt) -> list[str]:
    """The names that a statement binds or writes into, in order; `_` is not meant to be seen."""
    if isinstance(statement, ast.Assign):
        return [name for target in statement.targets for name in _targets(target)]
    if isinstance(statement, (ast.AugAssign, ast.AnnAssign)):
        return _targets(statement.target)
    return []


def _targets(target: ast.expr) -> list[str]:
    match target:
        case ast.Name(id=name) if name != "_":
            return [name]
        case ast.Subscript(value=inner) | ast.Starred(value=inner):
            return _targets(inner)
        case ast.Tuple(elts=items) | ast.List(elts=items):
            return [name for item in items for name in _targets(item)]
    return []
