"""A rule's line as mathematics: with the names on the screen, or with the shapes of its terms."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from .expression import Unsupported
from .lines import Line
from .reading import Reader
from .vocabulary import MODULES, unfused

_SUBSCRIPT = str.maketrans("0123456789-", "₀₁₂₃₄₅₆₇₈₉₋")
_SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_SIGNS: dict[type[ast.AST], tuple[str, int]] = {
    ast.Gt: (" > ", 1),
    ast.GtE: (" ≥ ", 1),
    ast.Lt: (" < ", 1),
    ast.LtE: (" ≤ ", 1),
    ast.Eq: (" = ", 1),
    ast.NotEq: (" ≠ ", 1),
    ast.BitOr: (" ∨ ", 1),
    ast.BitAnd: (" ∧ ", 2),
    ast.Add: (" + ", 3),
    ast.Sub: (" − ", 3),
    ast.Mult: (" ∘ ", 4),
    ast.Div: (" / ", 4),
    ast.MatMult: (" · ", 4),
    ast.Pow: ("^", 6),
}
_UNARY, _ATOM = 5, 9
_NUMBERS = {"inf": "∞", "nan": "NaN", "pi": "π"}
_TRANSPOSED = {"T", "mT", "H", "mH", "t"}
# They do not change what is meant.
_SILENT = {"to", "contiguous", "clone", "unbroadcast", "as_dtype"}


def shape_text(value: Any) -> str:
    """``2×3`` for a tensor, ``scalar`` for a 0-d one."""
    return "×".join(map(str, value.shape)) or "scalar"


def formula(line: Line, names: Mapping[str, str], result: str) -> str:
    """The line with the names on the screen: ``rex4 = reᵀ · x4``."""
    return f"{result} = {_render(line, lambda name: names.get(name, name))}{_item(line)}"


def algebra(line: Line) -> str:
    """The line with the shapes of its terms: ``2×5ᵀ · 2×4 = 5×4``."""

    def shape_of(name: str) -> str:
        value = line.reads.get(name)
        if isinstance(value, Tensor):
            return "×".join(map(str, value.shape)) or "1"
        return f"{value:g}" if isinstance(value, (int, float)) else name

    return f"{_render(line, shape_of, ' · ')}{_item(line)} = {shape_text(line.value)}"


def _item(line: Line) -> str:
    """``[1]``, where the line bound a list."""
    return "" if line.item is None else f"[{line.item}]"


def _render(line: Line, leaf: Callable[[str], str], times: str = "·") -> str:
    """`times` is the sign between a scalar and a tensor."""
    statement = line.statement
    writer = _Writer(leaf, line.reads, times)
    if isinstance(statement, ast.AugAssign):
        combined = ast.BinOp(statement.target, statement.op, statement.value)
        return writer.write(combined)[0]
    match statement:
        case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
            pairs = zip(names, values, strict=True)
            return next(writer.write(own)[0] for name, own in pairs if _binds(name, line.target))
        case ast.Assign(targets=[target, *_], value=value):
            return f"{writer.write(value)[0]}{_place(target, line.target)}"
        case ast.AnnAssign(value=ast.expr() as value):
            return writer.write(value)[0]
    return line.text


def _place(target: ast.expr, name: str) -> str:
    """``[1]`` of b in ``a, b = f(x)``; nothing of y in ``y, f_backward = f(x)``."""
    match target:
        case ast.Tuple(elts=[output, ast.Name(id=closure)]) if closure.endswith("backward"):
            return _place(output, name)
        case ast.Tuple(elts=items):
            number = next(n for n, item in enumerate(items) if _binds(item, name))
            return f"[{number}]{_place(items[number], name)}"
    return ""


def _binds(target: ast.expr, name: str) -> bool:
    return any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(target))


class _Writer:
    """Turns an expression into (text, binding strength)."""

    def __init__(self, leaf: Callable[[str], str], reads: Mapping[str, Any], times: str) -> None:
        self.leaf = leaf
        self.reads = reads
        self.times = times

    def write(self, node: ast.expr) -> tuple[str, int]:
        match node:
            case ast.Name(id=name):
                return self.leaf(name), _ATOM
            case ast.Constant(value=value):
                return f"{value:g}" if isinstance(value, float) else str(value), _ATOM
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _SIGNS:
                return self._binary(left, op, right)
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _SIGNS:
                return self._binary(left, op, right)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return f"−{self._inside(operand, _UNARY)}", _UNARY
            case ast.Attribute(value=ast.Name(id="math"), attr=attr) if attr in _NUMBERS:
                return _NUMBERS[attr], _ATOM
            case ast.Attribute(value=value, attr=attr) if attr in _TRANSPOSED:
                return f"{self._inside(value, _ATOM)}ᵀ", _ATOM
            case ast.IfExp() if (taken := self._taken(node)) is not None:
                return self.write(taken)
            case ast.Call() if (plain := unfused(node)) is not None:
                return self.write(plain)
            case ast.Call(func=ast.Attribute(value=value, attr=name), args=args):
                return self._method(node, value, name, args)
            case ast.Call(func=ast.Name(id=name), args=[first, *_]) if name in _SILENT:
                return self.write(first)
            case ast.Call(func=ast.Name(id="above"), args=[left, right]):
                return self._binary(left, ast.Gt(), right)
            case ast.Call(func=ast.Name(id=name), args=args):
                return f"{name}({self._list(args)})", _ATOM
        return self._verbatim(node), _ATOM

    def _taken(self, choice: ast.IfExp) -> ast.expr | None:
        """The branch that was taken; None where that cannot be told from what the line read."""
        try:
            holds = Reader(self.reads).read(choice.test).value
        except Unsupported:
            return None
        return choice.body if holds else choice.orelse

    def _inside(self, node: ast.expr, strength: int) -> str:
        text, own = self.write(node)
        return text if own >= strength else f"({text})"

    def _list(self, nodes: list[ast.expr]) -> str:
        return ", ".join(self.write(node)[0] for node in nodes)

    def _binary(self, left: ast.expr, op: ast.AST, right: ast.expr) -> tuple[str, int]:
        sign, strength = _SIGNS[type(op)]
        if isinstance(op, ast.Pow):
            if isinstance(right, ast.Constant) and isinstance(right.value, int):
                power = str(right.value).translate(_SUPERSCRIPT)
                return f"{self._inside(left, _ATOM)}{power}", _ATOM
        elif isinstance(op, ast.Mult) and (self._is_scalar(left) or self._is_scalar(right)):
            sign = self.times
        return f"{self._inside(left, strength)}{sign}{self._inside(right, strength + 1)}", strength

    def _is_scalar(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Constant):
            return True
        if isinstance(node, ast.BinOp):
            return self._is_scalar(node.left) and self._is_scalar(node.right)
        value = self.reads.get(node.id) if isinstance(node, ast.Name) else None
        return isinstance(value, (int, float)) or (isinstance(value, Tensor) and value.dim() == 0)

    def _method(
        self, node: ast.expr, value: ast.expr, name: str, args: list[ast.expr]
    ) -> tuple[str, int]:
        if _is_module(value):
            match name, args:
                case "where", [mask, kept, ast.Constant(value=0 | 0.0)]:
                    strength = _SIGNS[ast.Mult][1]
                    inside = self._inside(mask, strength), self._inside(kept, strength + 1)
                    return " ∘ ".join(inside), strength
                case _:
                    return f"{name}({self._list(args)})", _ATOM
        if name in _TRANSPOSED and not args:
            return f"{self._inside(value, _ATOM)}ᵀ", _ATOM
        if name in _SILENT:
            return self.write(value)
        if name in ("sum", "mean"):
            sign = "Σ" if name == "sum" else "mean"
            return f"{sign}{self._dims(args)} {self._inside(value, _UNARY)}", _UNARY
        items = self._list([value, *args])
        return f"{name}({items})", _ATOM

    def _dims(self, args: list[ast.expr]) -> str:
        """The dimensions that a reduction names, as subscripts."""
        if not args:
            return ""
        try:
            dims = Reader(self.reads).read(args[0]).value
        except Unsupported:
            return f"[{ast.unparse(args[0])}]"
        each = dims if isinstance(dims, (tuple, list)) else (dims,)
        return ",".join(str(dim) for dim in each).translate(_SUBSCRIPT)

    def _verbatim(self, node: ast.expr) -> str:
        """Python itself, with the names on the screen."""
        leaf = self.leaf

        class Rename(ast.NodeTransformer):
            def visit_Name(self, name: ast.Name) -> ast.Name:
                return ast.Name(leaf(name.id), name.ctx)

        return ast.unparse(Rename().visit(copy.deepcopy(node)))


def _is_module(node: ast.expr) -> bool:
    """torch, F, torch.linalg, …"""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) and node.id in MODULES
