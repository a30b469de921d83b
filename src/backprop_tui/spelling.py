"""An expression at one index, spelled in symbols (``re[n,1]·x4[n,2]``) and in numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor

from .expression import (
    Elementwise,
    Index,
    Letter,
    Moved,
    Node,
    Position,
    Product,
    Reduction,
    Unsupported,
    at,
    broadcast,
)
from .numbers import NumberFormat

# Letters that Unicode has as subscripts, so that Σₙ can be written.
LETTERS = "nmkpsthl"
SUBSCRIPTS = dict(zip(LETTERS, "ₙₘₖₚₛₜₕₗ", strict=True))
BINDING = {
    ">": 0, "<": 0, "≥": 0, "≤": 0, "=": 0, "≠": 0, "∨": 0, "∧": 0,
    "+": 1, "-": 1, "×": 2, "/": 2, "^": 4,
}  # fmt: skip
ATOM, SIGN, SUM = 5, 3, 1
POWERS = {"2": "²", "3": "³", "0.5": "^½"}

NAME = re.compile(r"(?<![.\w])[A-Za-z_]\w*")

# Text, and the numbers between it, which are formatted when all of them are known.
Pieces = list[Any]


class Speller:
    """Spells expressions with the names of the screen."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = names

    def symbolic(self, node: Node, index: Index) -> str:
        """The element at `index`, as in ``Σₙ re[n,1]·x4[n,2]``."""
        return self._spell(node, index)[0]

    def places(self, node: Node, index: Index) -> Iterator[tuple[Node, Index]]:
        """The operands that the element at `index` needs, each with its index."""
        if isinstance(node, Moved):
            place = node.source_index(index)
            if place is not None:
                yield node.operands[0], place
        elif isinstance(node, Elementwise):
            for operand in node.operands:
                yield operand, broadcast(index, operand.shape)

    def _spell(self, node: Node, index: Index) -> tuple[str, int]:
        """The text and how tightly it binds."""
        index = broadcast(index, node.shape)
        if isinstance(node, Moved):
            place = node.source_index(index)
            if place is not None:
                return self._spell(node.operands[0], place)
        if isinstance(node, Elementwise):
            return self._elementwise(node, index)
        if isinstance(node, Product):
            letter = self._fresh(index, 1)[0]
            places = zip(node.operands, node.factors(index, letter), strict=True)
            factors = [_bracket(*self._spell(n, i), 2) for n, i in places]
            return f"Σ{SUBSCRIPTS[letter]} {'·'.join(factors)}", SUM
        if isinstance(node, Reduction):
            letters = self._fresh(index, len(node.dims))
            text = _bracket(*self._spell(node.operands[0], node.summed(index, letters)), 2)
            signs = "".join(SUBSCRIPTS[letter] for letter in letters)
            return f"{'mean' if node.mean else 'Σ'}{signs} {text}", SUM
        text = NAME.sub(lambda found: self.names.get(found[0], found[0]), node.source)
        if " " in text and not text.endswith(")"):
            text = f"({text})"
        return text + _subscript(index), ATOM

    def _fresh(self, index: Index, count: int) -> list[str]:
        used = {p.name for p in index if isinstance(p, Letter)}
        free = [letter for letter in LETTERS if letter not in used]
        if len(free) < count:
            raise Unsupported("a sum over that many dimensions")
        return free[:count]

    def _elementwise(self, node: Elementwise, index: Index) -> tuple[str, int]:
        parts = [self._spell(n, broadcast(index, n.shape)) for n in node.operands]
        if not node.symbol:
            return f"{node.name}({', '.join(text for text, _ in parts)})", ATOM
        if len(parts) == 1:
            return node.symbol + _bracket(*parts[0], SIGN), SIGN
        own = BINDING[node.symbol]
        left = _bracket(*parts[0], own + (node.symbol == "^"))
        right = _bracket(*parts[1], own + (node.symbol in "-/^"))
        if node.symbol == "^":
            return left + POWERS.get(right, f"^{right}"), own
        return (f"{left}·{right}" if node.symbol == "×" else f"{left} {node.symbol} {right}"), own


def _bracket(text: str, binding: int, needed: int) -> str:
    return f"({text})" if binding < needed else text


def _subscript(index: Sequence[Position]) -> str:
    if not index:
        return ""
    return f"[{','.join(p.name if isinstance(p, Letter) else str(p) for p in index)}]"


def element(node: Node, index: Sequence[int]) -> Any:
    """The value at `index` of the node or of what it broadcasts to.

    A tensor with one element and the node's own number of dimensions, so that dtypes
    promote as in the whole line; or a plain Python value.
    """
    index = at(broadcast(tuple(index), node.shape), {})
    if isinstance(node, Elementwise):
        return node.compute(*(element(operand, index) for operand in node.operands))
    if isinstance(node, Moved) and node.kind == "same":
        return node.compute(element(node.operands[0], index))
    value = node.value
    return value[tuple(slice(i, i + 1) for i in index)] if isinstance(value, Tensor) else value


def numeric(node: Node, index: Sequence[int]) -> Pieces:
    """The element at `index` as text and numbers, ``[1.5, " × ", 2]``."""
    return _numeric(node, index)[0]


def _numeric(node: Node, index: Sequence[int]) -> tuple[Pieces, int]:
    place = at(broadcast(tuple(index), node.shape), {})
    if isinstance(node, Moved) and isinstance(node.operands[0], Elementwise):
        return _numeric(node.operands[0], node.origin(place))
    if not isinstance(node, Elementwise):
        value = element(node, place)
        if isinstance(value, Tensor):
            return [value.item()], ATOM
        return [str(value)], ATOM
    parts = [_numeric(operand, place) for operand in node.operands]
    if not node.symbol:
        inner: Pieces = []
        for pieces, _ in parts:
            inner += [", ", *pieces] if inner else pieces
        return [f"{node.name}(", *inner, ")"], ATOM
    if len(parts) == 1:
        return [f"{node.symbol}(", *parts[0][0], ")"], ATOM
    own = BINDING[node.symbol]
    left = _wrap(parts[0], own + (node.symbol == "^"))
    right = _wrap(parts[1], own + (node.symbol in "-/^"))
    if node.symbol == "^":
        power = POWERS.get(right[0], "") if isinstance(right[0], str) else ""
        return ["(", *left, ")", power] if power else ["(", *left, ") ^ ", *right], own
    return [*left, f" {node.symbol} ", *right], own


def _wrap(part: tuple[Pieces, int], needed: int) -> Pieces:
    pieces, binding = part
    return ["(", *pieces, ")"] if binding < needed else pieces


def values_of(pieces: Pieces) -> list[Any]:
    """The numbers among the pieces."""
    return [piece for piece in pieces if not isinstance(piece, str)]


def join(pieces: Pieces, style: NumberFormat | None, aligned: bool = True) -> str:
    """The pieces as one text; `aligned` pads each number to the width of its column."""
    words = []
    for piece in pieces:
        if isinstance(piece, str) or style is None:
            words.append(str(piece))
        elif isinstance(piece, bool):
            words.append("1" if piece else "0")
        else:
            text = style.padded(piece) if isinstance(piece, float | complex) else str(piece)
            words.append(text if aligned else _signed(text.strip(), words))
    return "".join(words)


def _signed(number: str, before: Sequence[str]) -> str:
    """The number, in brackets where its minus would stand beside another sign."""
    beside = bool(before) and before[-1].endswith((" - ", " + "))
    return f"({number})" if beside and number.startswith("-") else number
