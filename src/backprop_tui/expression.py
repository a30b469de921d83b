"""The right-hand side of a rule's line as a tree that says which elements each element needs.

A whitelist evaluator stands behind it: operators, views, reductions and functions of torch
over the values that the line read. What could write to those values, draw random numbers or
run foreign code raises `Unsupported`.
"""

from __future__ import annotations

import ast
import builtins
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


class Unsupported(ValueError):
    """The line holds something that cannot be taken apart; the text says what."""


@dataclass(frozen=True)
class Letter:
    """A running index of a sum, over ``range(size)``."""

    name: str
    size: int


Position = int | Letter
Index = tuple[Position, ...]


@dataclass(eq=False, kw_only=True)
class Node:
    """One sub-expression; `value` is computed when first asked for."""

    source: str
    compute: Callable[..., Any]
    operands: tuple[Node, ...] = ()

    @cached_property
    def value(self) -> Any:
        """The tensor, or the plain Python value, that the expression has."""
        with torch.no_grad():
            return self.compute(*(node.value for node in self.operands))

    @property
    def shape(self) -> tuple[int, ...]:
        """The value's shape; () for a Python number."""
        return tuple(self.value.shape) if isinstance(self.value, Tensor) else ()


@dataclass(eq=False, kw_only=True)
class Leaf(Node):
    """A name, a constant, or something taken as a whole."""

    name: str = ""


@dataclass(eq=False, kw_only=True)
class Moved(Node):
    """The same elements at other places: a view, a reshape, a cast."""

    kind: str  # "same", "flat" (row-major order is kept) or "strided" (memory is shared)

    def origin(self, index: Sequence[int]) -> tuple[int, ...]:
        """Where in the operand the element at `index` comes from."""
        base = self.operands[0].value
        if self.kind == "same":
            return tuple(index)
        if self.kind == "flat":
            flat = _ravel(index, self.shape)
            return tuple(int(i) for i in torch.unravel_index(torch.tensor(flat), base.shape))
        steps = zip(index, self.value.stride(), strict=True)
        offset = self.value.storage_offset() - base.storage_offset()
        return _by_stride(offset + sum(i * stride for i, stride in steps), base)

    def source_index(self, index: Index) -> Index | None:
        """As `origin`, with letters: None where no single place of the operand follows one."""
        start = self.origin(at(index, {}))
        found: list[Position] = list(start)
        for letter in {p for p in index if isinstance(p, Letter) and p.size > 1}:
            second = self.origin(at(index, {letter.name: 1}))
            last = self.origin(at(index, {letter.name: letter.size - 1}))
            changed = [d for d, (a, b) in enumerate(zip(start, last, strict=True)) if a != b]
            if len(changed) != 1 or start[changed[0]] != 0:
                return None
            dim = changed[0]
            if (second[dim], last[dim]) != (1, letter.size - 1):
                return None
            found[dim] = letter
        return tuple(found)


@dataclass(eq=False, kw_only=True)
class Elementwise(Node):
    """An operator or function that works element by element, with broadcasting."""

    name: str = ""
    symbol: str = ""  # "+", "×", … for an operator; empty for a function


@dataclass(eq=False, kw_only=True)
class Product(Node):
    """A matrix product, batched or of vectors."""

    def factors(self, index: Index, letter: str) -> tuple[Index, Index]:
        """The indices of the two factors whose products, summed over `letter`, give `index`."""
        left, right = (node.shape for node in self.operands)
        running = Letter(letter, left[-1])
        batch, rest = index, []
        for shape in (right, left):
            if len(shape) > 1:
                batch, last = batch[:-1], batch[-1]
                rest.append(last)
            else:
                rest.append(-1)
        column, row = rest
        first = (running,) if len(left) == 1 else (*broadcast(batch, left[:-2]), row, running)
        second = (running,) if len(right) == 1 else (*broadcast(batch, right[:-2]), running, column)
        return first, second


@dataclass(eq=False, kw_only=True)
class Reduction(Node):
    """A sum or mean over some dimensions."""

    dims: tuple[int, ...] = field(default=())
    keepdim: bool = False
    mean: bool = False

    def summed(self, index: Index, letters: Sequence[str]) -> Index:
        """The operand's index, with a letter for each summed dimension, that gives `index`."""
        shape, names = self.operands[0].shape, iter(letters)
        left = iter(index)
        found: list[Position] = []
        for dim, size in enumerate(shape):
            if dim not in self.dims:
                found.append(next(left))
                continue
            found.append(Letter(next(names), size))
            if self.keepdim:
                next(left, None)
        return tuple(found)


def at(index: Index, letters: Mapping[str, int]) -> tuple[int, ...]:
    """The index with a number for each letter, 0 where none is given."""
    return tuple(letters.get(p.name, 0) if isinstance(p, Letter) else p for p in index)


def broadcast(index: Index, shape: Sequence[int]) -> Index:
    """The index into an operand of `shape` that broadcasting reads for `index` of the result."""
    tail = index[len(index) - len(shape) :]
    return tuple(0 if size == 1 else p for p, size in zip(tail, shape, strict=True))


def _ravel(index: Sequence[int], shape: Sequence[int]) -> int:
    flat = 0
    for position, size in zip(index, shape, strict=True):
        flat = flat * size + position
    return flat


def _by_stride(offset: int, base: Tensor) -> tuple[int, ...]:
    """The index of `base` that lies `offset` elements after its first one in memory."""
    index = [0] * base.dim()
    walked = [d for d in range(base.dim()) if base.shape[d] > 1 and base.stride(d) > 0]
    for dim in sorted(walked, key=base.stride, reverse=True):
        index[dim] = min(offset // base.stride(dim), base.shape[dim] - 1)
        offset -= index[dim] * base.stride(dim)
    if offset:
        raise Unsupported("a view that cannot be followed")
    return tuple(index)


BINARY: dict[type, tuple[str, Callable[..., Any]]] = {
    ast.Add: ("+", operator.add),
    ast.Sub: ("-", operator.sub),
    ast.Mult: ("×", operator.mul),
    ast.Div: ("/", operator.truediv),
    ast.Pow: ("^", operator.pow),
    ast.BitAnd: ("∧", operator.and_),
    ast.BitOr: ("∨", operator.or_),
    ast.Gt: (">", operator.gt),
    ast.Lt: ("<", operator.lt),
    ast.GtE: ("≥", operator.ge),
    ast.LtE: ("≤", operator.le),
    ast.Eq: ("=", operator.eq),
    ast.NotEq: ("≠", operator.ne),
}
UNARY: dict[type, tuple[str, Callable[..., Any]]] = {
    ast.USub: ("-", operator.neg),
    ast.Invert: ("¬", operator.invert),
}
PLAIN_ONLY: dict[type, Callable[..., Any]] = {
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.Not: operator.not_,
}
SPELLED = {
    "add": "+", "sub": "-", "mul": "×", "multiply": "×", "div": "/", "true_divide": "/",
    "pow": "^", "gt": ">", "lt": "<", "ge": "≥", "le": "≤", "eq": "=", "ne": "≠",
    "logical_and": "∧", "logical_or": "∨", "neg": "-", "logical_not": "¬",
}  # fmt: skip
FUNCTIONS = frozenset(
    "abs acos asin atan atan2 bool ceil clamp clamp_max clamp_min cos cosh digamma erf erfc "
    "erfinv exp exp2 expit expm1 floor fmax fmin heaviside isfinite isinf isnan lerp lgamma log "
    "log10 log1p log2 logaddexp logit masked_fill maximum minimum nan_to_num reciprocal "
    "relu round rsqrt sgn sigmoid sign sin sinh softplus sqrt square tan tanh trunc where "
    "xlogy".split()
)
CASTS = frozenset(
    "bfloat16 clone contiguous detach double float half int long to type type_as".split()
)
FLAT = frozenset(
    "flatten ravel reshape reshape_as squeeze unflatten unsqueeze view view_as".split()
)
STRIDED = frozenset(
    "broadcast_to expand expand_as movedim narrow permute select swapaxes swapdims t "
    "transpose".split()
)
PRODUCTS = frozenset(("matmul", "mm", "bmm", "mv", "dot"))
RANDOM = frozenset(("bernoulli", "dropout", "multinomial", "normal", "poisson"))
MODULES = {"torch": torch, "F": F, "math": math}
BUILTINS = {n: getattr(builtins, n) for n in "abs bool float int len list max min tuple".split()}
PLAIN = (bool, int, float, complex, str, tuple, list, torch.dtype, type(None))


class Reader:
    """Builds the tree of one statement."""

    def __init__(self, reads: Mapping[str, Any]) -> None:
        self.reads = reads

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
                return Leaf(source=repr(value), compute=lambda: value, name=repr(value))
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
            case ast.Tuple(elts=items) | ast.List(elts=items):
                return self._whole(node, lambda *v: tuple(v), [self.read(i) for i in items])
            case ast.Attribute():
                return self._attribute(node)
            case ast.Subscript():
                return self._subscript(node)
            case ast.Call():
                return self._call(node)
        raise Unsupported(f"the expression {ast.unparse(node)!r}")

    def _name(self, name: str) -> Node:
        if name not in self.reads:
            raise Unsupported(f"the name {name!r}")
        return Leaf(source=name, compute=lambda: self.reads[name], name=name)

    def _whole(
        self, node: ast.expr, compute: Callable[..., Any], operands: Sequence[Node]
    ) -> Node:
        text = ast.unparse(node)
        return Leaf(source=text, compute=compute, operands=tuple(operands), name=text)

    def _product(self, node: ast.expr, left: Node, right: Node) -> Node:
        return Product(source=ast.unparse(node), compute=torch.matmul, operands=(left, right))

    def _operator(self, node: ast.expr, op: ast.AST, *parts: ast.expr) -> Node:
        operands = tuple(self.read(part) for part in parts)
        symbol, compute = (UNARY if len(parts) == 1 else BINARY).get(type(op), ("", None))
        compute = compute or PLAIN_ONLY.get(type(op))
        if compute is None:
            raise Unsupported(f"the operator in {ast.unparse(node)!r}")
        if not symbol or not any(isinstance(n.value, Tensor) for n in operands):
            return self._whole(node, compute, operands)
        source = ast.unparse(node)
        return Elementwise(source=source, compute=compute, operands=operands, symbol=symbol)

    def _attribute(self, node: ast.Attribute) -> Node:
        if isinstance(node.value, ast.Name) and node.value.id in MODULES:
            value = getattr(MODULES[node.value.id], node.attr)
            return self._whole(node, lambda: value, [])
        base = self.read(node.value)
        if isinstance(base.value, Tensor) and node.attr in ("T", "mT"):
            return self._moved(node, "strided", lambda t: getattr(t, node.attr), base)
        return self._whole(node, lambda v: getattr(v, node.attr), [base])

    def _subscript(self, node: ast.Subscript) -> Node:
        base, items = self.read(node.value), self._items(node.slice)
        plain = all(i is None or i is ... or isinstance(i, int | slice) for i in items)
        index = items if isinstance(node.slice, ast.Tuple) else items[0]
        if isinstance(base.value, Tensor) and plain:
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
        options = {k.arg: self.read(k.value).value for k in node.keywords if k.arg}
        if len(options) != len(node.keywords) or any(isinstance(a, ast.Starred) for a in node.args):
            raise Unsupported(f"the unpacked arguments in {ast.unparse(node)!r}")
        args = [self.read(a) for a in node.args]
        match node.func:
            case ast.Name(id="unbroadcast") if len(args) == 2:
                return self._summed_to(node, args[0], args[1].value)
            case ast.Name(id=name) if name in BUILTINS:
                return self._whole(node, lambda *v: BUILTINS[name](*v, **options), args)
            case ast.Attribute(value=ast.Name(id=module), attr=name) if module in MODULES:
                function = getattr(MODULES[module], name)
                return self._torch(node, name, function, args, options)
            case ast.Attribute(value=receiver, attr=name):
                base = self.read(receiver)
                if isinstance(base.value, Tensor):
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
                rest = tuple(n.value for n in operands[1:])
                return self._moved(node, kind, lambda t: function(t, *rest, **options), operands[0])
        if name in FUNCTIONS or name in SPELLED:
            symbol = SPELLED.get(name, "") if not options else ""
            return Elementwise(
                source=source, compute=compute, operands=operands, name=name, symbol=symbol
            )
        return self._whole(node, compute, operands)

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
            keepdim=keepdim,
            mean=name == "mean",
        )

    def _summed_to(self, node: ast.Call, base: Node, shape: Any) -> Node:
        """The adjoint of broadcasting: sums over the dimensions that were stretched."""
        size = tuple(shape.shape if isinstance(shape, Tensor) else shape)
        lead = len(base.shape) - len(size)
        if lead < 0:
            raise Unsupported(f"the call {ast.unparse(node)!r}")
        kept = range(lead, len(base.shape))
        stretched = [d for d in kept if size[d - lead] == 1 != base.shape[d]]
        source = ast.unparse(node)
        inner: Node = base
        if lead:
            inner = Reduction(
                source=source,
                compute=lambda v: v.sum(tuple(range(lead))),
                operands=(inner,),
                dims=tuple(range(lead)),
            )
        if stretched:
            dims = tuple(d - lead for d in stretched)
            inner = Reduction(
                source=source,
                compute=lambda v: v.sum(dims, keepdim=True),
                operands=(inner,),
                dims=dims,
                keepdim=True,
            )
        return inner
