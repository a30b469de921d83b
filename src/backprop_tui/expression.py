"""The right-hand side of a rule's line as a tree that says which elements each element needs.

`reading` builds the tree. Values are computed when first asked for, so that looking at one
element of a large tensor costs little.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
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
    def is_tensor(self) -> bool:
        """Whether the value is a tensor, told without computing it."""
        return True

    @property
    def shape(self) -> tuple[int, ...]:
        """The value's shape; () for a Python number."""
        return tuple(self.value.shape) if self.is_tensor else ()


@dataclass(eq=False, kw_only=True)
class Leaf(Node):
    """A name, a constant, or something taken as a whole."""

    @property
    def is_tensor(self) -> bool:
        return isinstance(self.value, Tensor)


@dataclass(eq=False, kw_only=True)
class Moved(Node):
    """The same elements at other places: a view, a reshape, a cast."""

    kind: str  # "same", "flat" (row-major order is kept) or "strided" (memory is shared)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.operands[0].shape if self.kind == "same" else super().shape

    def origin(self, index: Sequence[int]) -> tuple[int, ...]:
        """Where in the operand the element at `index` comes from."""
        base = self.operands[0].value
        if self.kind == "same":
            return tuple(index)
        if self.kind == "flat":
            return unravel(_ravel(index, self.shape), base.shape)
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

    @property
    def shape(self) -> tuple[int, ...]:
        return broadcast_shape([node.shape for node in self.operands])


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

    dims: tuple[int, ...]
    kept: tuple[int, ...]  # those of `dims` that stay in the result with size 1
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
            if dim in self.kept:
                next(left)
        return tuple(found)


def at(index: Index, letters: Mapping[str, int]) -> tuple[int, ...]:
    """The index with a number for each letter, 0 where none is given."""
    return tuple(letters.get(p.name, 0) if isinstance(p, Letter) else p for p in index)


def broadcast_shape(shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """The shape that these come to together.

    As torch.broadcast_shapes, whose first call imports torch's compiler: half a second.
    """
    width = max(map(len, shapes), default=0)
    columns = zip(*((1,) * (width - len(shape)) + shape for shape in shapes), strict=True)
    return tuple(next((size for size in sizes if size != 1), 1) for sizes in columns)


def broadcast(index: Index, shape: Sequence[int]) -> Index:
    """The index into an operand of `shape` that broadcasting reads for `index` of the result."""
    tail = index[len(index) - len(shape) :]
    return tuple(0 if size == 1 else p for p, size in zip(tail, shape, strict=True))


def _ravel(index: Sequence[int], shape: Sequence[int]) -> int:
    flat = 0
    for position, size in zip(index, shape, strict=True):
        flat = flat * size + position
    return flat


def unravel(flat: int, shape: Sequence[int]) -> tuple[int, ...]:
    """The index of the element that is number `flat` in row-major order.

    As torch.unravel_index, whose first call takes most of a second.
    """
    index = []
    for size in reversed(shape):
        flat, position = divmod(flat, size)
        index.append(position)
    return tuple(reversed(index))


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
