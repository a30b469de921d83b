"""What may stand in a rule's line: operators and functions of torch, sorted by what they do."""

from __future__ import annotations

import ast
import builtins
import math
import operator
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

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
IN_PLACE = {"add_": ast.Add(), "sub_": ast.Sub(), "mul_": ast.Mult(), "div_": ast.Div()}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FUNCTIONS = _words(
    "abs acos asin atan atan2 bool ceil clamp clamp_max clamp_min cos cosh digamma erf erfc "
    "erfinv exp exp2 expit expm1 floor fmax fmin heaviside isfinite isinf isnan lerp lgamma log "
    "log10 log1p log2 logaddexp logit masked_fill maximum minimum nan_to_num reciprocal "
    "relu round rsqrt sgn sigmoid sign sin sinh softplus sqrt square tan tanh trunc where "
    "xlogy"
)
CASTS = _words("bfloat16 clone contiguous detach double float half int long to type type_as")
FLAT = _words("flatten ravel reshape reshape_as squeeze unflatten unsqueeze view view_as")
STRIDED = _words(
    "broadcast_to expand expand_as movedim narrow permute select swapaxes swapdims t transpose"
)
PRODUCTS = _words("matmul mm bmm mv dot")
RANDOM = _words("bernoulli dropout multinomial normal poisson")
MODULES = {"torch": torch, "F": F, "math": math}
BUILTINS = {
    name: getattr(builtins, name)
    for name in sorted(_words("abs bool float int isinstance len list max min tuple"))
}
PLAIN = (bool, int, float, complex, str, tuple, list, torch.dtype, type(None))


def unfused(node: ast.Call) -> ast.expr | None:
    """A call that saves memory as the plain arithmetic that it is; None for any other call.

    ``torch.addcmul(a, b, c, value=v)`` and its in-place form are ``a + v * (b * c)``,
    ``torch.lerp(a, b, w)`` is ``a + w * (b - a)``, and ``a.mul_(b)`` is ``a * b``.
    """
    match node:
        case ast.Call(func=ast.Attribute(value=a, attr=name), args=[b]) if name in IN_PLACE:
            return ast.BinOp(a, IN_PLACE[name], b)
        case ast.Call(func=ast.Attribute(value=a, attr="exp2_")):
            return ast.Call(ast.Attribute(a, "exp2"), [], [])
        case ast.Call(func=ast.Attribute(value=ast.Name(id="torch"), attr="lerp"), args=[a, b, w]):
            return ast.BinOp(a, ast.Add(), ast.BinOp(w, ast.Mult(), ast.BinOp(b, ast.Sub(), a)))
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id="torch"), attr="addcmul"), args=[a, b, c]
        ):
            product = ast.BinOp(b, ast.Mult(), c)
        case ast.Call(func=ast.Attribute(value=a, attr="addcmul_"), args=[b, c]):
            product = ast.BinOp(b, ast.Mult(), c)
        case _:
            return None
    match node.keywords:
        case [ast.keyword(value=ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=1)))]:
            return ast.BinOp(a, ast.Sub(), product)
        case [ast.keyword(value=factor)]:
            return ast.BinOp(a, ast.Add(), ast.BinOp(factor, ast.Mult(), product))
    return ast.BinOp(a, ast.Add(), product)
