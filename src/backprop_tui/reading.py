"""Reads a rule's statement into a tree of `expression` nodes.

Only operators, views, reductions and functions of torch over the values that the line read
are taken apart or computed again, and the rules' own helpers, which are pure. What could
write to those values, draw random numbers or run foreign code raises `Unsupported`.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from .expression import Elementwise, Leaf, Moved, Node, Product, Reduction, Unsupported
from .vocabulary import (
    BINARY,
    BUILTINS,
    CASTS,
    FLAT,
    FUNCTIONS,
    MODULES,
    PLAIN,
    PLAIN_ONLY,
    PRODUCTS,
    RANDOM,
    SPELLED,
    STRIDED,
    UNARY,
    unfused,
)


class Reader:
    """Builds the tree of one statement, given what it read and which helpers it may call."""

    def __init__(
        self, reads: Mapping[str, Any], helpers: Mapping[str, Callable[..., Any]] | None = None
    ) -> None:
        self.reads = reads
        self.helpers = BUILTINS | dict(helpers or {})

    def statement(self, statement: ast.stmt) -> Node:
        """The tree of what the statement binds.

        Raises:
            Unsupported: for anything but an assignment of one expression to one name.
        """
        match statement:
            case ast.Assign(targets=[ast.Name()], value=value):
                return self.read(value)
            case ast.AnnAssign(target=ast.Name(), value=ast.expr() as value):
                return self.read(value)
            case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Tuple):
                return self.read(value)
            case ast.AugAssign(target=ast.Name(id=name), op=op, value=value):
                left = ast.Name(name, ast.Load())
                return self.read(ast.BinOp(left, op, value))
        raise Unsupported(f"the statement {ast.unparse(statement)!r}")

    def read(self, node: ast.expr) -> Node:
        """The tree of an expression."""
        match node:
            case ast.Name(id=name):
                return self._name(name)
            case ast.Constant(value=value):
                return Leaf(source=repr(value), compute=lambda: value)
            case ast.BinOp(left=left, op=ast.MatMult(), right=right):
                return self._product(node, self.read(left), self.read(right))
            case ast.BinOp(left=left, op=op, right=right):
                return self._operator(node, op, left, right)
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return self._operator(node, op, left, right)
            case ast.UnaryOp(op=op, operand=operand):
                return self._operator(node, op, operand)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return self.read(body if self.read(test).value else orelse)
            case ast.BoolOp(op=op, values=parts):
                return self._decided(isinstance(op, ast.Or), parts)
            case ast.Tuple(elts=items) | ast.List(elts=items):
                return self._whole(node, lambda *v: tuple(v), [self.read(i) for i in items])
            case ast.Attribute():
                return self._attribute(node)
            case ast.Subscript():
                return self._subscript(node)
            case ast.Call():
                return self._call(node)
        raise Unsupported(f"the expression {ast.unparse(node)!r}")

    def _decided(self, enough: bool, parts: Sequence[ast.expr]) -> Node:
        """The first part that decides an `and` or `or`; those behind it are not looked at."""
        for part in parts:
            node = self.read(part)
            if bool(node.value) is enough:
                break
        return node

    def _name(self, name: str) -> Node:
        if name == "Tensor":
            return Leaf(source=name, compute=lambda: Tensor)
        if name not in self.reads:
            raise Unsupported(f"the name {name!r}")
        return Leaf(source=name, compute=lambda: self.reads[name])

    def _whole(self, node: ast.expr, compute: Callable[..., Any], operands: Sequence[Node]) -> Node:
        text = ast.unparse(node)
        return Leaf(source=text, compute=compute, operands=tuple(operands))

    def _product(self, node: ast.expr, left: Node, right: Node) -> Node:
        return Product(source=ast.unparse(node), compute=torch.matmul, operands=(left, right))

    def _operator(self, node: ast.expr, op: ast.AST, *parts: ast.expr) -> Node:
        operands = tuple(self.read(part) for part in parts)
        symbol, compute = (UNARY if len(parts) == 1 else BINARY).get(type(op), ("", None))
        compute = compute or PLAIN_ONLY.get(type(op))
        if compute is None:
            raise Unsupported(f"the operator in {ast.unparse(node)!r}")
        if not symbol or not any(n.is_tensor for n in operands):
            return self._whole(node, compute, operands)
        source = ast.unparse(node)
        return Elementwise(source=source, compute=compute, operands=operands, symbol=symbol)

    def _attribute(self, node: ast.Attribute) -> Node:
        if isinstance(node.value, ast.Name) and node.value.id in MODULES:
            value = getattr(MODULES[node.value.id], node.attr)
            return self._whole(node, lambda: value, [])
        base = self.read(node.value)
        if base.is_tensor and node.attr in ("T", "mT"):
            return self._moved(node, "strided", lambda t: getattr(t, node.attr), base)
        return self._whole(node, lambda v: getattr(v, node.attr), [base])

    def _subscript(self, node: ast.Subscript) -> Node:
        base, items = self.read(node.value), self._items(node.slice)
        plain = all(i is None or i is ... or isinstance(i, int | slice) for i in items)
        index = items if isinstance(node.slice, ast.Tuple) else items[0]
        if base.is_tensor and plain:
            return self._moved(node, "strided", lambda t: t[index], base)
        return self._whole(node, lambda v: v[index], [base])

    def _items(self, node: ast.expr) -> tuple[Any, ...]:
        parts = node.elts if isinstance(node, ast.Tuple) else [node]
        return tuple(self._item(part) for part in parts)

    def _item(self, part: ast.expr) -> Any:
        if isinstance(part, ast.Slice):
            ends = (part.lower, part.upper, part.step)
            return slice(*(None if end is None else self.read(end).value for end in ends))
        return self.read(part).value

    def _moved(self, node: ast.expr, kind: str, compute: Callable[..., Any], base: Node) -> Node:
        return Moved(source=ast.unparse(node), compute=compute, operands=(base,), kind=kind)

    def _call(self, node: ast.Call) -> Node:
        if (plain := unfused(node)) is not None:
            return self.read(plain)
        options = {k.arg: self.read(k.value).value for k in node.keywords if k.arg}
        if len(options) != len(node.keywords) or any(isinstance(a, ast.Starred) for a in node.args):
            raise Unsupported(f"the unpacked arguments in {ast.unparse(node)!r}")
        args = [self.read(a) for a in node.args]
        match node.func:
            case ast.Name(id="unbroadcast") if len(args) == 2:
                return self._summed_to(node, args[0], args[1].value)
            case ast.Name(id=name) if name in self.helpers:
                return self._whole(node, lambda *v: self.helpers[name](*v, **options), args)
            case ast.Attribute(value=ast.Name(id=module), attr=name) if module in MODULES:
                function = getattr(MODULES[module], name)
                return self._torch(node, name, function, args, options)
            case ast.Attribute(value=receiver, attr=name):
                base = self.read(receiver)
                if base.is_tensor:
                    function = getattr(Tensor, name)
                    return self._torch(node, name, function, [base, *args], options)
                if isinstance(base.value, PLAIN):
                    method = getattr(base.value, name)
                    return self._whole(node, lambda *v: method(*v, **options), args)
        raise Unsupported(f"the call {ast.unparse(node)!r}")

    def _torch(
        self,
        node: ast.Call,
        name: str,
        function: Callable[..., Any],
        args: Sequence[Node],
        options: dict[str, Any],
    ) -> Node:
        """A call of a function of torch, which must neither write nor draw random numbers."""
        writes = name.endswith("_") or "out" in options
        if writes or name in RANDOM or name.startswith("rand"):
            raise Unsupported(f"the call {ast.unparse(node)!r}, which must not run again")
        source, operands = ast.unparse(node), tuple(args)

        def compute(*values: Any) -> Any:
            return function(*values, **options)

        if name in PRODUCTS:
            return self._product(node, operands[0], operands[1])
        if name in ("sum", "mean"):
            return self._reduction(node, name, operands, options)
        if name == "sum_to_size":
            shape = operands[1].value if len(operands) == 2 else [n.value for n in operands[1:]]
            return self._summed_to(node, operands[0], shape)
        for kind, names in (("same", CASTS), ("flat", FLAT), ("strided", STRIDED)):
            if name in names:
                return self._rearranged(node, kind, function, operands, options)
        if name in FUNCTIONS or name in SPELLED:
            symbol = SPELLED.get(name, "") if not options else ""
            return Elementwise(
                source=source, compute=compute, operands=operands, name=name, symbol=symbol
            )
        return self._whole(node, compute, operands)

    def _rearranged(
        self,
        node: ast.Call,
        kind: str,
        function: Callable[..., Any],
        operands: Sequence[Node],
        options: dict[str, Any],
    ) -> Node:
        rest = tuple(n.value for n in operands[1:])
        return self._moved(node, kind, lambda t: function(t, *rest, **options), operands[0])

    def _reduction(
        self, node: ast.Call, name: str, operands: Sequence[Node], options: dict[str, Any]
    ) -> Node:
        base, rest = operands[0], [n.value for n in operands[1:]]
        given = options.get("dim", options.get("axis", rest[0] if rest else None))
        keepdim = bool(options.get("keepdim", rest[1] if len(rest) > 1 else False))
        rank = len(base.shape)
        wanted = [given] if isinstance(given, int) else given
        dims = tuple(sorted(d % rank for d in wanted)) if wanted else tuple(range(rank))
        return Reduction(
            source=ast.unparse(node),
            compute=lambda v: getattr(torch, name)(v, *rest, **options),
            operands=(base,),
            dims=dims,
            kept=dims if keepdim else (),
            mean=name == "mean",
        )

    def _summed_to(self, node: ast.Call, base: Node, shape: Any) -> Node:
        """The adjoint of broadcasting: sums over the dimensions that were stretched."""
        size = tuple(shape.shape if isinstance(shape, Tensor) else shape)
        lead = len(base.shape) - len(size)
        if lead < 0:
            raise Unsupported(f"the call {ast.unparse(node)!r}")
        kept = tuple(d + lead for d, n in enumerate(size) if n == 1 != base.shape[d + lead])
        dims = (*range(lead), *kept)
        if not dims:
            return self._moved(node, "same", lambda v: v, base)
        return Reduction(
            source=ast.unparse(node),
            compute=lambda v: v.sum_to_size(size),
            operands=(base,),
            dims=dims,
            kept=kept,
        )
