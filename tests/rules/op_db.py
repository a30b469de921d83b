"""PyTorch's own samples of every differentiable op, and which of them the rules pass.

``make coverage`` rewrites the table of variants whose samples all pass in float64 by rules
alone, which is a file of the package: ``backprop_tui/rules/verified.txt``.
"""

from __future__ import annotations

import gc
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from backprop_tui import catalogue, rules
from tests.rules.oracle import SEED, variant_complaint

TABLE = Path(rules.__file__).with_name("verified.txt")


def variants() -> dict[str, tuple[Callable[..., Any], Any]]:
    """Every float64 op of op_db that autograd differentiates: its name, how it is called, entry."""
    found: dict[str, tuple[Callable[..., Any], Any]] = {}
    for entry in catalogue.op_db_entries():
        name = entry.full_name
        found[name] = (entry.op, entry)
        if entry.method_variant is not None:
            found[f"{name} (method)"] = (entry.method_variant, entry)
        if entry.supports_inplace_autograd and entry.inplace_variant is not None:
            found[f"{name} (in-place)"] = (in_place(entry.inplace_variant), entry)
    return found


def in_place(write: Callable[..., Any]) -> Callable[..., Any]:
    """An in-place op called on a copy, since a leaf may not be written to."""
    return lambda input, *args, **kwargs: write(input.clone(), *args, **kwargs)


def judge(name: str, call: Callable[..., Any], entry: Any) -> str | None:
    """The first complaint about a variant, "" where all samples pass, None without a rule."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(SEED)
        samples = list(entry.sample_inputs("cpu", torch.float64, requires_grad=True))
        if name.endswith("(in-place)"):
            samples = [sample for sample in samples if not sample.broadcasts_input]
        return variant_complaint(call, samples)


def passes(name: str, call: Callable[..., Any], entry: Any) -> bool:
    """Whether all samples of a variant pass, by rules alone."""
    try:
        return judge(name, call, entry) == ""
    except (RuntimeError, ValueError, TypeError):  # torch itself refuses some of its own samples
        return False


def sweep() -> list[str]:
    """Judge every variant, rewrite the table and say on stderr what complains."""
    passed = []
    for name, (call, entry) in variants().items():
        try:
            complaint = judge(name, call, entry)
        except Exception as error:  # a tool: whatever is wrong with one variant, show it and go on
            complaint = f"{type(error).__name__}: {error}"
        if complaint == "":
            passed.append(name)
        elif complaint:
            print(f"{name}: {complaint[:200]}", file=sys.stderr)
        gc.collect()
    passed.sort()
    TABLE.write_text("".join(f"{name}\n" for name in passed), encoding="utf-8")
    return passed
