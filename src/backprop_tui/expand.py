"""One element of a line's value, written out as the numbers it was made of.

``rex4[1, 2]`` of ``dweight = dy.t() @ input`` becomes ``Σₙ re[n,1]·x4[n,2]`` and its terms.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from types import FunctionType
from typing import Any

import torch
from torch import Tensor

from .expression import (
    Elementwise,
    Index,
    Leaf,
    Letter,
    Node,
    Product,
    Reduction,
    Unsupported,
    at,
    unravel,
)
from .lines import Line
from .numbers import DECIMALS, NumberFormat, choose_format, exact_text, ulps
from .reading import Reader
from .spelling import LETTERS, Pieces, Speller, element, join, numeric, values_of

AGREES = ", as recorded"
RULES = f"{__package__}.rules."

# What evaluating a line of someone's rule again may raise.
FAILURES = (
    ArithmeticError, AttributeError, LookupError, NotImplementedError, RuntimeError, TypeError,
    ValueError,
)  # fmt: skip


@dataclass(frozen=True)
class Term:
    """One summand, or the one line of arithmetic of an elementwise op."""

    label: str  # "n=0"; empty for an elementwise op
    text: str  # "1.6428 × -0.0000"; empty where the term is a plain element
    result: str  # "-0.0000"; empty where the text says it

    def line(self) -> str:
        """As it stands on the screen."""
        joined = " = ".join(part for part in (self.text, self.result) if part)
        return f"{self.label}  {joined}" if self.label else joined


@dataclass(frozen=True)
class Expansion:
    """How one element came about.

    `terms` are all of them, or the largest ones, and then `rest` says what the others sum
    to. `total` is what the terms add up to, computed in double precision, in the dtype of
    the line; None where the line could not be taken apart. `note` sets it beside the
    recorded value. `parts` are the sums inside an elementwise line.
    """

    heading: str
    terms: tuple[Term, ...] = ()
    rest: str = ""
    total: complex | None = None
    recorded: complex | None = None
    note: str = ""
    parts: tuple[Expansion, ...] = ()

    def lines(self, indent: str = "") -> list[str]:
        """The text for the screen, a line each."""
        found = [indent + self.heading]
        found += [f"{indent}  {term.line()}" for term in self.terms]
        found += [f"{indent}  {text}" for text in (self.rest, self.note) if text]
        for part in self.parts:
            found += part.lines(indent + "  ")
        return found


def expand(
    line: Line, names: Mapping[str, str], index: tuple[int, ...], limit: int = 64
) -> Expansion:
    """Write out the element at `index` of what `line` bound.

    `names` maps the rule's own names to those on the screen. Of a longer sum only the
    `limit` largest terms are listed. Never raises: a line that cannot be taken apart gives
    an expansion that says which line it was and what it read at this index.
    """
    return Expander(line, names).expand(index, limit)


class Expander:
    """Expands element after element of one line, computing its sub-expressions only once."""

    def __init__(self, line: Line, names: Mapping[str, str]) -> None:
        self.line = line
        self.names = names
        self.speller = Speller(names)
        self.root: Node | None = None
        self.reason = ""
        try:
            self.root = Reader(line.reads, _helpers(line.file)).statement(line.statement)
        except FAILURES as failure:
            self.reason = str(failure)

    def expand(self, index: tuple[int, ...], limit: int = 64) -> Expansion:
        """As the function `expand`."""
        if self.root is None:
            return self._fallback(index, self.reason)
        try:
            with torch.no_grad():
                return self._checked(index, limit)
        except FAILURES as failure:
            return self._fallback(index, str(failure))

    def _checked(self, index: tuple[int, ...], limit: int) -> Expansion:
        root = self.root
        assert root is not None
        if root.shape != tuple(self.line.value.shape):
            raise Unsupported("a value of another shape than the line's own")
        recorded = self.line.value[index]
        found, total, terms = self._node(root, index, limit)
        note = _beside(total, recorded, terms)
        if found.terms and not found.terms[0].label and note.endswith(AGREES):
            note = ""  # the one line of arithmetic already ends in it
        return replace(found, total=_plain(total), recorded=_plain(recorded), note=note)

    def _node(self, node: Node, index: Index, limit: int) -> tuple[Expansion, Tensor, Tensor]:
        """The expansion, its total, and its terms in double precision."""
        if isinstance(node, Product):
            return self._product(node, index, limit)
        if isinstance(node, Reduction):
            return self._reduction(node, index, limit)
        return self._elementwise(node, index, limit)

    def _product(self, node: Product, index: Index, limit: int) -> tuple[Expansion, Tensor, Tensor]:
        letter = LETTERS[0]
        factors = node.factors(index, letter)
        pairs = zip(node.operands, factors, strict=True)
        rows = [_wide(_along(operand.value, place)) for operand, place in pairs]
        terms = rows[0] * rows[1]
        shown, rest = _largest(terms, limit)
        left, right, results = (_picked(values, shown) for values in (*rows, terms))
        style = _style(torch.tensor([*left, *right, *results]))
        listed = tuple(
            Term(f"{letter}={n}", f"{style.padded(a)} × {style.padded(b)}", style.padded(c))
            for n, a, b, c in zip(shown, left, right, results, strict=True)
        )
        heading = self.speller.symbolic(node, index)
        return Expansion(heading, listed, rest), terms.sum(), terms

    def _reduction(
        self, node: Reduction, index: Index, limit: int
    ) -> tuple[Expansion, Tensor, Tensor]:
        operand = node.operands[0]
        place = node.summed(index, LETTERS)
        letters = [p for p in place if isinstance(p, Letter)]
        terms = _wide(_along(operand.value, place))
        shown, rest = _largest(terms, limit)
        sizes = tuple(letter.size for letter in letters)
        indices = [unravel(n, sizes) for n in shown]
        listed = self._arithmetic(operand, place, letters, indices)
        total = terms.mean() if node.mean and terms.numel() else terms.sum()
        if node.mean:
            rest = f"{rest}; " if rest else ""
            rest += f"the sum divided by {terms.numel():,}"
        return Expansion(self.speller.symbolic(node, index), listed, rest), total, terms

    def _arithmetic(
        self, operand: Node, place: Index, letters: list[Letter], indices: Sequence[Sequence[int]]
    ) -> tuple[Term, ...]:
        """The terms of a sum over an expression, their numbers in columns."""
        written: list[tuple[str, Pieces, Any]] = []
        for one in indices:
            numbers = {letter.name: n for letter, n in zip(letters, one, strict=True)}
            here = at(place, numbers)
            label = ",".join(f"{name}={n}" for name, n in numbers.items())
            result = element(operand, here)
            written.append((label, numeric(operand, here), result))
        every = [v for _, pieces, result in written for v in (*values_of(pieces), _plain(result))]
        style = _style(torch.tensor(every)) if every else None
        terms = []
        for label, pieces, result in written:
            text = join(pieces, style) if isinstance(operand, Elementwise) else ""
            terms.append(Term(label, text, join([_plain(result)], style)))
        return tuple(terms)

    def _elementwise(
        self, node: Node, index: Index, limit: int
    ) -> tuple[Expansion, Tensor, Tensor]:
        here = at(index, {})
        value = element(node, here)
        pieces = numeric(node, here)
        result = _plain(value)
        style = _style(torch.tensor([*values_of(pieces), result]))
        text = join(pieces, style, aligned=False)
        term = Term("", text, join([result], style, aligned=False))
        if isinstance(value, Tensor) and value.dtype == torch.bool:
            term = Term("", f"{text} is {'true' if result else 'false'}", "")
        parts = tuple(
            replace(found, heading=f"where {found.heading} = {join([_plain(total)], style)}")
            for found, total, _ in self._sums_inside(node, index, limit)
        )
        heading = self.speller.symbolic(node, index)
        exact = torch.as_tensor(value).reshape(())
        return Expansion(heading, (term,), parts=parts), exact, exact.reshape(1)

    def _sums_inside(
        self, node: Node, index: Index, limit: int
    ) -> list[tuple[Expansion, Tensor, Tensor]]:
        found = []
        for operand, place in self.speller.places(node, index):
            if isinstance(operand, Product | Reduction):
                found.append(self._node(operand, place, limit))
            else:
                found += self._sums_inside(operand, place, limit)
        return found

    def _fallback(self, index: tuple[int, ...], reason: str) -> Expansion:
        """Which line it was, and what it read at this index."""
        tensors = ((n, v) for n, v in self.line.reads.items() if isinstance(v, Tensor))
        terms = tuple(self._operand(name, value, index) for name, value in tensors)
        heading = f"computed whole by {self.line.function}: {' '.join(self.line.text.split())}"
        try:
            recorded = _plain(self.line.value[index])
        except IndexError:
            recorded, reason = None, f"{index} is outside the value"
        note = f"not taken apart: {reason}" if reason else ""
        return Expansion(heading, terms, recorded=recorded, note=note)

    def _operand(self, name: str, value: Tensor, index: tuple[int, ...]) -> Term:
        """What the line read under `name`: its element at `index` where it has one."""
        leaf = Leaf(source=name, compute=lambda: value)
        try:
            text = exact_text(element(leaf, index).reshape(()))
            return Term(f"{self.speller.symbolic(leaf, index)} =", "", text)
        except FAILURES:
            size = "×".join(str(n) for n in value.shape)
            return Term(f"{self.names.get(name, name)}:", "", f"a tensor of {size}")


@lru_cache(maxsize=64)
def _helpers(file: str) -> dict[str, Callable[..., Any]]:
    """The functions that the rules in `file` may call by name; none for a user's own file."""
    for name, module in list(sys.modules.items()):
        if name.startswith(RULES) and getattr(module, "__file__", None) == file:
            functions = {n: v for n, v in vars(module).items() if isinstance(v, FunctionType)}
            return {n: v for n, v in functions.items() if v.__module__.startswith(RULES)}
    return {}


def _along(value: Tensor, place: Index) -> Tensor:
    """The elements as the letters of `place` run, flat and in order."""
    items = tuple(slice(None) if isinstance(p, Letter) else p for p in place)
    return value[items].reshape(-1)


def _style(values: Tensor) -> NumberFormat:
    """One format for all numbers of an expansion, which are too few to save digits on."""
    return choose_format(values, fewest=DECIMALS)


def _wide(values: Tensor) -> Tensor:
    """In the widest dtype of its kind: products and sums are then right to the last digit."""
    if values.is_complex():
        return values.to(torch.complex128)
    return values.to(torch.float64 if values.is_floating_point() else torch.int64)


def _largest(terms: Tensor, limit: int) -> tuple[list[int], str]:
    """Which terms to list, and what the others sum to; NaN counts as the largest."""
    if terms.numel() <= limit:
        return list(range(terms.numel())), ""
    size = terms.abs().double().nan_to_num(nan=torch.inf)
    shown = size.topk(limit).indices
    others = torch.ones(terms.numel(), dtype=torch.bool)
    others[shown] = False
    left = terms[others].sum().item()
    return shown.tolist(), f"… {terms.numel() - limit:,} more sum to {left:.6g}"


def _picked(values: Tensor, places: Sequence[int]) -> list[Any]:
    """The values at some places of a flat tensor."""
    if len(places) == values.numel():
        return values.tolist()
    return values[torch.tensor(places)].tolist()


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, Tensor) else value


def _beside(total: Tensor, recorded: Tensor, terms: Tensor) -> str:
    """The total set beside the recorded value, and what their difference means."""
    rounded = total.reshape(()).to(recorded.dtype)
    text = f"total {exact_text(rounded)}"
    if torch.equal(rounded, recorded) or bool(rounded.isnan() & recorded.isnan()):
        return text + AGREES
    if recorded.dtype.is_floating_point or recorded.is_complex():
        apart = ulps(rounded, recorded)
        count = f"{apart:,} ulp apart" if apart is not None else "not the same"
        bound = torch.finfo(recorded.dtype).eps * (terms.numel() + 1) * terms.abs().sum()
        if bool((total.reshape(()) - recorded).abs() <= bound):
            return f"{text}, recorded {exact_text(recorded)}: {count}, by rounding"
        return f"{text}, recorded {exact_text(recorded)}: {count}, more than rounding"
    return f"{text}, recorded {exact_text(recorded)}: they differ"
