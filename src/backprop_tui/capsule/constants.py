"""Tensors written into a Python file: the same numbers, dtype, strides and device."""

from __future__ import annotations

import base64
import textwrap
import zlib
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..export import constructed, dense
from . import witnesses

if TYPE_CHECKING:
    from .sources import Sources

LITERAL = 100
"""Up to so many elements a tensor is written as numbers that one can read."""
INLINE = 1 << 16
"""Up to so many bytes a tensor is packed into the text; a larger one goes to a file beside it."""


def expression(tensor: Tensor, name: str, sources: Sources) -> str:
    """Python for a tensor, within a text of `sources`.

    Raises:
        UserError: if it is quantized, nested or on the meta device.
    """
    text = _numbers(dense(name, tensor), name, sources)
    if tensor.layout != torch.strided:
        text += f".to_sparse(layout={tensor.layout})"
    elif tensor.numel() and not tensor.is_contiguous():
        strided = sources.refer(witnesses.strided, "strided")
        text = f"{strided}({text}, {tensor.stride()})"
    return text if tensor.device.type == "cpu" else f'{text}.to("{tensor.device}")'


def _numbers(plain: Tensor, name: str, sources: Sources) -> str:
    if plain.numel() <= LITERAL:
        return constructed(plain)
    shape = tuple(plain.shape)
    data = plain.reshape(-1).view(torch.uint8)
    if not data.any():
        return f"torch.zeros({shape}, dtype={plain.dtype})"
    if len(data) > INLINE:
        sources.large[name] = plain.clone()
        return f'LARGE["{name}"]'
    text = base64.b64encode(zlib.compress(data.numpy().tobytes(), 9)).decode()
    lines = "\n".join(textwrap.wrap(text, 96))
    unpacked = sources.refer(witnesses.unpacked, "unpacked")
    return f'{unpacked}({plain.dtype}, {shape}, """\n{lines}\n""")'
