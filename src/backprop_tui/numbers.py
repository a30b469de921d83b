"""Numbers as text: one format for all cells of a tensor, one element exactly, and ULPs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .numerals import numerals

# Narrow enough for a screen, wide enough that every finite double fits as "-1e-308".
SAFE_WIDTH = 8
DECIMALS = 4
BITS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


@dataclass(frozen=True)
class NumberFormat:
    """How every cell of one tensor is written, so that columns align.

    `kind` is "truth", "integer", "fixed" or "scientific"; `part` is the width of a real
    number, of which a complex one has a `pair`. Text is never longer than `width`.
    """

    kind: str
    decimals: int
    part: int
    pair: bool = False

    @property
    def width(self) -> int:
        """Characters that a cell takes, without the space between columns."""
        return 2 * self.part + 1 if self.pair else self.part

    def text(self, value: complex | bool) -> str:
        """One element, right-aligned. An exact zero is a bare "0", unlike a small number."""
        if self.pair:
            real, imaginary = complex(value).real, complex(value).imag
            sign = "+" if math.copysign(1, imaginary) > 0 or imaginary != imaginary else ""
            return f"{self._real(real)}{sign}{self._real(imaginary)}i".rjust(self.width)
        assert not isinstance(value, complex)
        return ("0" if value == 0 else self._real(value)).rjust(self.width)

    def padded(self, value: complex | bool) -> str:
        """As `text`, with a zero written out like its neighbours and its sign kept."""
        if self.pair or isinstance(value, complex):
            return self.text(value)
        return self._real(value).rjust(self.width)

    def _real(self, value: float) -> str:
        if not math.isfinite(value):
            return nonfinite_text(value)
        if self.kind in ("truth", "integer"):
            text = str(int(value))
        else:
            text = f"{value:.{self.decimals}{'f' if self.kind == 'fixed' else 'e'}}"
        return text if len(text) <= self.part else _squeeze(value, self.part)


def nonfinite_text(value: float) -> str:
    """NaN and the infinities, the same everywhere on the screen."""
    if math.isnan(value):
        return "NaN"
    return "∞" if value > 0 else "-∞"


def _squeeze(value: float, width: int) -> str:
    """The most digits that fit, in scientific notation."""
    for digits in (4, 3, 2, 1, 0):
        mantissa, exponent = f"{value:.{digits}e}".split("e")
        text = f"{mantissa}e{int(exponent)}"
        if len(text) <= width:
            return text
    return "#" * width


def choose_format(values: Tensor, whole: bool = True, fewest: int = 1) -> NumberFormat:
    """The format that suits `values`, any shape and dtype, with at least `fewest` decimals.

    Pass ``whole=False`` when they are a sample: the columns are then wide enough for
    whatever the other elements turn out to be.
    """
    floor = 1 if whole else SAFE_WIDTH
    if values.dtype == torch.bool:
        return NumberFormat("truth", 0, 1)
    if values.is_complex():
        parts = torch.view_as_real(values.resolve_conj())
        one = choose_format(parts, whole, fewest)
        return NumberFormat(one.kind, one.decimals, one.part, pair=True)
    if not values.is_floating_point():
        return NumberFormat("integer", 0, max(floor, _widest(values, "integer", 0)))
    mask = values.isfinite()
    finite = values.double() if bool(mask.all()) else values[mask].double()
    kind, decimals = _notation(finite, fewest)
    width = max(floor, 3, _widest(finite, kind, decimals))
    return NumberFormat(kind, decimals, width)


def _notation(finite: Tensor, fewest: int) -> tuple[str, int]:
    """The kind and the number of decimals for float64 values without NaN and inf."""
    largest = finite.abs().max().item() if finite.numel() else 0.0
    if largest >= 1e6 or 0 < largest < 1e-3:
        return "scientific", 3
    if bool((finite == finite.round()).all()):
        return "fixed", 1
    return "fixed", min(DECIMALS, max(fewest, 6 - len(str(int(largest)))))


def _widest(values: Tensor, kind: str, decimals: int) -> int:
    """The width of the longest text among `values`, which is that of an extreme one."""
    if not values.numel():
        return 1
    free = NumberFormat(kind, decimals, 64)
    ends = torch.aminmax(values)
    return max(len(free._real(end.item())) for end in (ends.min, ends.max))


def exact_text(element: Tensor) -> str:
    """The shortest text of a 0-d tensor that reads back as the same bits of its dtype."""
    if element.is_complex():
        real, imaginary = torch.view_as_real(element.resolve_conj()).unbind(-1)
        text = exact_text(imaginary)
        return f"{exact_text(real)}{text if text.startswith('-') else '+' + text}i"
    if element.is_floating_point() and not bool(element.isfinite()):
        return nonfinite_text(element.item())
    return numerals(element)[0]


def ulps(one: Tensor, other: Tensor) -> int | None:
    """How many representable numbers apart two 0-d tensors lie.

    None where that has no meaning: NaN, dtypes that differ or are not floating point.
    """
    if one.dtype != other.dtype or not one.dtype.is_floating_point:
        return None
    a, b = one.item(), other.item()
    if a != a or b != b:
        return None
    return 0 if a == b else abs(_rank(one) - _rank(other))


def _rank(element: Tensor) -> int:
    """The element's place among all numbers of its dtype; both zeros are at 0."""
    bits = int(element.contiguous().view(BITS[element.element_size()]).item())
    lowest = -(1 << (8 * element.element_size() - 1))
    return bits if bits >= 0 else lowest - bits
