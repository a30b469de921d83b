"""The lesson's options as a user gives them, checked before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ..errors import UserError
from . import SIZES
from .inputs import load_tensor
from .two_layer import Options

_ELEMENTS = 2**28


def parse(given: Mapping[str, Any]) -> Options:
    """Options from the command line's words; sizes that are not given come from the files.

    Raises:
        UserError: if a file, a device or a size cannot be used, or two of them disagree.
    """
    dtype: torch.dtype = getattr(torch, given["dtype"])
    device = _device(given["device"])
    sizes = {name: given[name] for name in SIZES if given[name] is not None}
    tensors: dict[str, Tensor] = {}
    for name, width in (("x", "d_in"), ("y", "d_out")):
        if given[name] is not None:
            wanted = (sizes.get("n"), sizes.get(width))
            tensor = load_tensor(
                given[name], shape=wanted, dtype=dtype, device=device, what=f"--{name}"
            )
            tensors[name] = tensor
            sizes["n"], sizes[width] = tensor.shape
    sizes = SIZES | sizes
    _check_room(sizes)
    return Options(
        **sizes,
        lr=given["lr"],
        iterations=given["iterations"],
        seed=given["seed"],
        dtype=dtype,
        device=device,
        update_first=given["weights"] == "update-first",
        x=tensors.get("x"),
        y=tensors.get("y"),
    )


def _device(name: str) -> str:
    try:
        torch.empty(0, device=name).cpu()
    except (RuntimeError, AssertionError, NotImplementedError):
        raise UserError(f"device {name!r} cannot be used here: try --device cpu") from None
    return name


def _check_room(sizes: Mapping[str, int]) -> None:
    wide = max(sizes["d_in"], sizes["hidden"], sizes["d_out"])
    largest = max(sizes["n"], sizes["hidden"]) * wide
    if largest > _ELEMENTS:
        raise UserError(
            f"a tensor of {largest:,} elements is too large for a lesson: "
            f"choose sizes whose products stay below {_ELEMENTS:,}"
        )
