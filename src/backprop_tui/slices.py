"""Slices as people type them, ``x4[:, 0:2]``: read without eval, and resolved on a shape."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import EllipsisType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

Item = int | slice | EllipsisType

# A name may itself end in a subscript, as pgrad[2] and grad["fc1.weight"] do: the slice
# is the last bracket.
FORM = re.compile(r"^(?P<name>.*?)\s*\[(?P<items>[^\[\]]*)\]$", re.DOTALL)
WHOLE_NUMBER = re.compile(r"^[+-]?\d+$")


@dataclass(frozen=True)
class View:
    """What of a tensor is looked at: one position or one range for each dimension."""

    sizes: tuple[int, ...]
    picks: tuple[int | range, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of what is looked at."""
        return tuple(len(pick) for pick in self.ranges())

    @property
    def everything(self) -> bool:
        """Whether it is the whole tensor."""
        wholes = zip(self.picks, self.sizes, strict=True)
        return all(pick == range(size) for pick, size in wholes)

    def ranges(self) -> tuple[range, ...]:
        """The tensor's own positions along each dimension that is left."""
        return tuple(pick for pick in self.picks if isinstance(pick, range))

    def apply(self, tensor: Tensor) -> Tensor:
        """The part of `tensor`, a view of its memory."""
        items = [_as_slice(pick) if isinstance(pick, range) else pick for pick in self.picks]
        return tensor[tuple(items)]

    def index(self, cell: Sequence[int]) -> tuple[int, ...]:
        """The index in the tensor of a cell of the part."""
        left = iter(cell)
        return tuple(p[next(left)] if isinstance(p, range) else p for p in self.picks)

    def cell(self, index: Sequence[int]) -> tuple[int, ...] | None:
        """The cell of the part that shows `index` of the tensor, None where it is outside."""
        cell = []
        for pick, position in zip(self.picks, index, strict=True):
            if isinstance(pick, range):
                if position not in pick:
                    return None
                cell.append(pick.index(position))
            elif pick != position:
                return None
        return tuple(cell)

    def __str__(self) -> str:
        parts = zip(self.picks, self.sizes, strict=True)
        return f"[{', '.join(_written(pick, size) for pick, size in parts)}]"


def _as_slice(pick: range) -> slice:
    return slice(pick.start, pick.stop, pick.step)


def _written(pick: int | range, size: int) -> str:
    if isinstance(pick, int):
        return str(pick)
    start = str(pick.start) if pick.start else ""
    stop = str(pick.stop) if pick.stop != size else ""
    return f"{start}:{stop}" + (f":{pick.step}" if pick.step != 1 else "")


def parse(text: str) -> tuple[str, tuple[Item, ...]]:
    """The name, which may be empty, and the items of ``x4[:, 0:2]``; brackets may be left out.

    Raises:
        ValueError: where an item is neither a number, a slice nor ``...``.
    """
    text = text.strip()
    match = FORM.match(text)
    name, inside = (match["name"], match["items"]) if match else ("", text)
    if not match and ("[" in text or "]" in text):
        raise ValueError(f"a bracket is missing in {text!r}: write it as [:, 0:2]")
    parts = [part.strip() for part in inside.split(",")]
    if len(parts) > 1 and not parts[-1]:
        parts.pop()
    items = tuple(_item(part) for part in parts) if any(parts) else ()
    if items.count(...) > 1:
        raise ValueError("only one ... can stand in a slice")
    return name.strip(), items


def _item(part: str) -> Item:
    if part == "...":
        return ...
    if ":" not in part:
        return _number(part)
    fields = [field.strip() for field in part.split(":")]
    if len(fields) > 3:
        raise ValueError(f"too many colons in {part!r}: a slice is start:stop:step")
    start, stop, step = ([_number(f) if f else None for f in fields] + [None])[:3]
    if step is not None and step <= 0:
        raise ValueError(f"the step of {part!r} must be positive: torch has no backward slices")
    return slice(start, stop, step)


def _number(text: str) -> int:
    if not WHOLE_NUMBER.match(text):
        what = f"{text!r} is not a whole number" if text else "a number is missing"
        raise ValueError(f"{what}: write a slice as [:, 0:2]")
    return int(text)


def resolve(items: Sequence[Item], shape: Sequence[int]) -> View:
    """What the items pick of a tensor of this shape; missing ones at the end mean all.

    Raises:
        ValueError: for more items than dimensions, or a position outside its dimension.
    """
    sizes = tuple(shape)
    given = sum(item is not ... for item in items)
    if given > len(sizes):
        dims = f"{len(sizes)} dimension{'s' if len(sizes) != 1 else ''}"
        raise ValueError(f"{given} positions given for a tensor of {dims}")
    filled = list(_fill(items, len(sizes) - given))
    filled += [slice(None)] * (len(sizes) - len(filled))
    picks = [_pick(item, size, d) for d, (item, size) in enumerate(zip(filled, sizes, strict=True))]
    return View(sizes, tuple(picks))


def _fill(items: Sequence[Item], missing: int) -> Iterator[int | slice]:
    for item in items:
        if isinstance(item, EllipsisType):
            yield from [slice(None)] * missing
        else:
            yield item


def _pick(item: int | slice, size: int, dim: int) -> int | range:
    if isinstance(item, slice):
        start, stop, step = item.indices(size)
        return range(start, max(start, stop), step)
    if not -size <= item < size:
        allowed = f"it has {size} positions, 0 to {size - 1}" if size else "it is empty"
        raise ValueError(f"{item} is outside dimension {dim}: {allowed}")
    return item % size


def parse_index(text: str, shape: Sequence[int]) -> tuple[int, ...]:
    """The one element that ``3, 7`` or ``x[3, -1]`` names.

    Raises:
        ValueError: where it is not exactly one position for each dimension.
    """
    _, items = parse(text)
    numbers = [item for item in items if isinstance(item, int)]
    if len(numbers) != len(items) or len(items) != len(shape):
        example = ", ".join("0" for _ in shape)
        raise ValueError(f"give {len(shape)} numbers, one for each dimension, as in {example!r}")
    return tuple(pick for pick in resolve(numbers, shape).picks if isinstance(pick, int))


def default_view(shape: Sequence[int]) -> View:
    """Everything, or of more than two dimensions the last two at leading index 0."""
    return as_matrix(resolve([], shape))


def neighbour(view: View, direction: int) -> View | None:
    """The next (+1) or previous (-1) slice, counting as an odometer over the fixed positions.

    None at either end, and where no position is fixed.
    """
    picks = list(view.picks)
    for dim in reversed(range(len(picks))):
        pick = picks[dim]
        if isinstance(pick, range):
            continue
        if 0 <= pick + direction < view.sizes[dim]:
            picks[dim] = pick + direction
            return View(view.sizes, tuple(picks))
        picks[dim] = 0 if direction > 0 else view.sizes[dim] - 1
    return None


def as_matrix(view: View) -> View:
    """The view with its leading ranges fixed at their first position, until two are left."""
    if not all(view.shape):
        return view  # no element, no first position
    surplus = len(view.ranges()) - 2
    picks: list[int | range] = []
    for pick in view.picks:
        if surplus > 0 and isinstance(pick, range):
            picks.append(pick[0])
            surplus -= 1
        else:
            picks.append(pick)
    return View(view.sizes, tuple(picks))
