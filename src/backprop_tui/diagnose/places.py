"""Where the line at fault stands: in a custom autograd.Function, or above a function."""

from __future__ import annotations

import ast
import inspect
import linecache
import re
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ..tape import Source


@dataclass(frozen=True)
class Code:
    """The source of one method: its tree, and where its first line stands in the file."""

    tree: ast.FunctionDef
    file: str
    first: int

    def at(self, node: ast.AST) -> Source:
        """The place of a part of it."""
        line = self.first + getattr(node, "lineno", 1) - 1
        return Source(self.file, line, self.tree.name)


def code_of(method: Callable[..., object]) -> Code | None:
    """A method's source, None where there is none to read, as in a shell."""
    plain = inspect.unwrap(method)
    try:
        lines, first = inspect.getsourcelines(plain)
        tree = ast.parse(textwrap.dedent("".join(lines))).body[0]
    except (OSError, TypeError, SyntaxError):
        return None
    file = inspect.getsourcefile(plain)
    if not isinstance(tree, ast.FunctionDef) or file is None:
        return None
    return Code(tree, file, first)


def answer_line(function: Any, position: int) -> Source | None:
    """Where a Function's backward makes the gradient of the argument at `position`.

    That is the last assignment to the name that it returns there, else the return itself.
    """
    code = code_of(function.backward)
    if code is None:
        return None
    returned = [node for node in ast.walk(code.tree) if isinstance(node, ast.Return)]
    if not returned:
        return code.at(code.tree)
    value = returned[-1].value
    parts = value.elts if isinstance(value, ast.Tuple) else [value]
    part = parts[position] if position < len(parts) else value
    if isinstance(part, ast.Name):
        made = [node for node in _assignments(code.tree) if part.id in _targets(node)]
        if made:
            return code.at(made[-1])
    return code.at(part if part is not None else returned[-1])


def saving_line(function: Any) -> Source | None:
    """Where a Function saves what its backward reads."""
    for name in ("setup_context", "forward"):
        code = code_of(getattr(function, name))
        for node in ast.walk(code.tree) if code is not None else ():
            if isinstance(node, ast.Attribute) and node.attr == "save_for_backward":
                assert code is not None
                return code.at(node)
    return None


_NO_GRAD = re.compile(r"\s*@.*(no_grad|inference_mode|set_grad_enabled)\b")


def no_grad_decorator(source: Source | None) -> Source | None:
    """The decorator by which no gradient flows in the function that a line is in."""
    lines = linecache.getlines(source.file)[: source.line] if source is not None else []
    for number in range(len(lines), 0, -1):
        if source is not None and re.match(rf"\s*def {source.function}\b", lines[number - 1]):
            while number > 1 and (above := lines[number - 2]).lstrip().startswith("@"):
                number -= 1
                if _NO_GRAD.match(above):
                    return Source(source.file, number, source.function)
            return None
    return None


def text_of(function: Any) -> str:
    """The whole source of a Function, its name at least."""
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):
        return str(function.__name__)


def _assignments(tree: ast.AST) -> Iterator[ast.Assign | ast.AugAssign]:
    found = [node for node in ast.walk(tree) if isinstance(node, (ast.Assign, ast.AugAssign))]
    yield from sorted(found, key=lambda node: node.lineno)


def _targets(node: ast.Assign | ast.AugAssign) -> set[str]:
    """The names that are bound, or written into, by an assignment."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return {
        part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)
    }
