"""A tensor's elements as Python expressions: the shortest that evaluate to the same bits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

WIDTH = 96  # columns before a row of numbers goes on in the next line


def numerals(tensor: Tensor) -> list[str]:
    """One expression per element of a strided CPU tensor, in row-major order.

    `torch.tensor(eval(numeral), dtype=tensor.dtype)` has the element's own bits; of a
    NaN only its being one is kept.
    """
    import torch

    flat = tensor.reshape(-1)
    if flat.is_complex():
        parts = _reals(torch.view_as_real(flat).reshape(-1))
        # 1-0j would lose the sign of its zero.
        return [f"complex({re}, {im})" for re, im in zip(parts[::2], parts[1::2], strict=True)]
    if flat.is_floating_point():
        return _reals(flat)
    return [repr(value) for value in flat.tolist()]


def _reals(flat: Tensor) -> list[str]:
    """Try ever more digits, with torch's own conversion as the judge of each."""
    import torch

    values = flat.to(torch.float64).tolist()
    texts = [repr(value) for value in values]
    pending = [index for index, value in enumerate(values) if math.isfinite(value)]
    for digits in range(*_digits(torch.finfo(flat.dtype).eps)):
        tried = [f"{values[index]:.{digits}g}" for index in pending]
        read = torch.tensor([float(text) for text in tried], dtype=flat.dtype)
        missed = []
        for index, text, value in zip(pending, tried, read.double().tolist(), strict=True):
            if value == values[index]:
                texts[index] = text
            else:
                missed.append(index)
        pending = missed
    return [_as_float(text) for text in texts]


def _digits(eps: float) -> tuple[int, int]:
    """The range of digits to try: C's FLT_DIG up to FLT_DECIMAL_DIG for this precision.

    Any decimal of FLT_DIG digits survives the way to the float and back, so the first
    try already gives every number that a person typed.
    """
    bits = 1 - round(math.log2(eps))
    fewest = math.floor((bits - 1) * math.log10(2))
    most = math.ceil(1 + bits * math.log10(2))
    return max(1, fewest), most + 1


def _as_float(text: str) -> str:
    """As Python spells a float: `-0` would be the integer 0, and `inf` is no name."""
    if text.lstrip("-").isdigit():
        return f"{text}.0"
    return f'float("{text}")' if text[-1] in "fn" else text


def nested(tokens: Sequence[str], shape: Sequence[int], indent: int) -> str:
    """`tokens` in brackets nested as `shape` asks, one row per line, right-aligned.

    `indent` is the column at which the first bracket will stand. No size may be 0.
    """
    if not shape:
        return tokens[0]
    width = max(map(len, tokens))
    return _brackets([token.rjust(width) for token in tokens], shape, indent)


def _brackets(tokens: Sequence[str], shape: Sequence[int], indent: int) -> str:
    if len(shape) > 1:
        each = len(tokens) // shape[0]
        rows = [
            _brackets(tokens[start : start + each], shape[1:], indent + 1)
            for start in range(0, len(tokens), each)
        ]
    else:
        fit = max(1, (WIDTH - indent) // (len(tokens[0]) + 2))
        rows = [", ".join(tokens[start : start + fit]) for start in range(0, len(tokens), fit)]
    return "[" + (",\n" + " " * (indent + 1)).join(rows) + "]"
