"""What of torch the rules derive: of PyTorch's own samples, and of what real models call."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from types import FunctionType
from typing import Any

import torch

from . import rules
from .errors import UserError
from .rules.registry import RULES

# What a recorder answers by itself: autograd's own entrance, and a switch.
NOT_AN_OP = frozenset({"torch.autograd.grad", "torch.Tensor.requires_grad_"})


# Why what is missing is missing.
REASONS = {
    "torch._standard_gamma": "its derivative has no closed form: PyTorch approximates it",
    "_batch_norm_with_update": "what a compiler writes in place of batch_norm",
    "_native_batch_norm_legit": "what a compiler writes in place of batch_norm",
    "_softmax_backward_data": "a kernel of autograd itself",
    "max_pool2d_with_indices_backward": "a kernel of autograd itself",
    "native_dropout_backward": "a kernel of autograd itself",
    "_unsafe_masked_index": "what a compiler writes in place of indexing",
    "_unsafe_masked_index_put_accumulate": "what a compiler writes in place of indexing",
    "_upsample_bilinear2d_aa": "what interpolate(antialias=True) calls, which has a rule",
    "as_strided_scatter": "finite differences contradict autograd: see the rule",
    "cov": "op_db weighs float64 samples in float32; the gradient of such weights differs",
    "nextafter": "autograd has no derivative of it",
    "sparse.mm.reduce": "a sparse tensor",
    "sparse.sampled_addmm": "a sparse tensor",
    "to_sparse": "a sparse tensor",
}


@dataclass(frozen=True)
class Use:
    """A function that real models call with gradients: by how many of them, how often."""

    name: str
    models: int
    calls: int


def missing() -> Iterator[str]:
    """What op_db and real models need and the library lacks, and why, the most used first.

    Raises:
        UserError: if PyTorch's op_db cannot be imported.
    """
    lacking = [use for use in uses() if not how(use.name)]
    yield f"{len(lacking)} functions of real models (models, calls)"
    for use in lacking:
        why = REASONS.get(use.name, "")
        yield f"  {use.name:<36} {use.models:>4} {use.calls:>5}  {why}".rstrip()
    entries = sorted({entry.full_name for entry in op_db_entries()} - set(verified()))
    yield f"\n{len(entries)} op_db variants that do not pass by rules alone"
    yield from (f"  {entry:<36}  {REASONS.get(entry, '')}".rstrip() for entry in entries)


def how(name: str) -> str:
    """How a function of torch is derived: by which rule, or by what it calls; "" if it is not."""
    if name in NOT_AN_OP:
        return "no op"
    function = function_named(name)
    if function is not None and function in RULES:
        return RULES[function].name
    return "looked into" if isinstance(function, FunctionType) else ""


def function_named(name: str) -> Callable[..., Any] | None:
    """The object that a dotted torch name means, or None in a torch that lacks it."""
    place: Any = torch
    for part in name.split(".")[1:]:
        place = getattr(place, part, None)
    function: Callable[..., Any] | None = place
    return function


def uses() -> list[Use]:
    """The functions that 122 public models call with gradients, the most common first."""
    rows = [line.split("\t") for line in _data("functions.tsv")[1:]]
    return [Use(name, int(models), int(calls)) for name, models, calls in rows]


def verified(dtype: str = "float64") -> list[str]:
    """The op_db variants whose samples of a dtype all pass by rules alone.

    With 64 bits that means equal to 1e-10, in float32 within the rounding verdict.
    """
    return _data(f"verified_{dtype}.txt")


def op_db_entries(dtype: str = "float64") -> list[Any]:
    """The entries of PyTorch's op_db that autograd differentiates in a dtype.

    Raises:
        UserError: if it cannot be imported, for want of the packages that it tests with.
    """
    try:
        invocations = importlib.import_module("torch.testing._internal.common_methods_invocations")
    except ImportError as error:
        raise UserError(
            f"PyTorch's op_db needs the package {error.name}: pip install backprop-tui[test]"
        ) from error
    return [
        entry
        for entry in invocations.op_db
        if getattr(torch, dtype) in entry.dtypes and entry.supports_autograd
    ]


def _data(name: str) -> list[str]:
    return files(rules).joinpath(name).read_text(encoding="utf-8").splitlines()
