"""PyTorch's own samples of every differentiable op, and which of them the rules pass.

``make coverage`` rewrites the tables of variants whose samples all pass by rules alone, one
for each dtype, which are files of the package: ``backprop_tui/rules/verified_float64.txt``.
"""

from __future__ import annotations

import gc
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from backprop_tui import covered, rules
from tests.rules import oracle, rounding

JUDGES = {
    "float64": oracle.complaint,
    "complex128": oracle.complaint,
    "float32": rounding.complaint,
}
"""What passes: with 64 bits what agrees to 1e-10, with 32 what is within rounding."""


def table(dtype: str) -> Path:
    """Where the variants that pass in a dtype are listed."""
    return Path(rules.__file__).with_name(f"verified_{dtype}.txt")


def variants(dtype: str) -> dict[str, tuple[Callable[..., Any], Any]]:
    """Every op of op_db that autograd differentiates: its name, how it is called, entry.

    The method and in-place forms compute what the function does, and float64 alone asks them.
    """
    found: dict[str, tuple[Callable[..., Any], Any]] = {}
    for entry in covered.op_db_entries(dtype):
        name = entry.full_name
        found[name] = (entry.op, entry)
        if dtype == "float64":
            found.update(other_forms(name, entry))
    return found


def other_forms(name: str, entry: Any) -> Iterator[tuple[str, tuple[Callable[..., Any], Any]]]:
    """A variant called as a method and in place, where it can be."""
    if entry.method_variant is not None:
        yield f"{name} (method)", (entry.method_variant, entry)
    if entry.supports_inplace_autograd and entry.inplace_variant is not None:
        yield f"{name} (in-place)", (in_place(entry.inplace_variant), entry)


def in_place(write: Callable[..., Any]) -> Callable[..., Any]:
    """An in-place op called on a copy, since a leaf may not be written to."""
    return lambda input, *args, **kwargs: write(input.clone(), *args, **kwargs)


def judge(dtype: str, name: str, call: Callable[..., Any], entry: Any) -> str | None:
    """The first complaint about a variant, "" where all samples pass, None without a rule."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        oracle.seed()
        samples = list(entry.sample_inputs("cpu", getattr(torch, dtype), requires_grad=True))
        if name.endswith("(in-place)"):
            samples = [sample for sample in samples if not sample.broadcasts_input]
        return oracle.variant_complaint(call, samples, JUDGES[dtype])


def passes(dtype: str, name: str, call: Callable[..., Any], entry: Any) -> bool:
    """Whether all samples of a variant pass, by rules alone."""
    try:
        return judge(dtype, name, call, entry) == ""
    except (RuntimeError, ValueError, TypeError):  # torch itself refuses some of its own samples
        return False


def sweep(dtype: str) -> list[str]:
    """Judge every variant, rewrite the table and say on stderr what complains."""
    passed = []
    for name, (call, entry) in variants(dtype).items():
        try:
            complaint = judge(dtype, name, call, entry)
        except Exception as error:  # a tool: whatever is wrong with one variant, show it and go on
            complaint = f"{type(error).__name__}: {error}"
        if complaint == "":
            passed.append(name)
        elif complaint:
            print(f"{dtype} {name}: {complaint[:200]}", file=sys.stderr)
        gc.collect()
    passed.sort()
    table(dtype).write_text("".join(f"{name}\n" for name in passed), encoding="utf-8")
    return passed
