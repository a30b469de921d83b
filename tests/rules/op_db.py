"""PyTorch's own samples of every differentiable op, and which of them the rules pass.

``python -m tests.rules.op_db`` rewrites op_db_verified.txt, the table of variants whose
samples all pass in float64 by rules alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.testing._internal.common_methods_invocations import op_db

import backprop_tui.rules  # noqa: F401  (registers the rules)
from tests.rules.oracle import SEED, variant_complaint

TABLE = Path(__file__).with_name("op_db_verified.txt")


def variants() -> dict[str, tuple[Callable[..., Any], Any]]:
    """Every float64 op of op_db that autograd differentiates: its name, how it is called, entry."""
    found: dict[str, tuple[Callable[..., Any], Any]] = {}
    for entry in op_db:
        if torch.float64 not in entry.dtypes or not entry.supports_autograd:
            continue
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


def listed() -> list[str]:
    """The variants that the table says pass."""
    return TABLE.read_text().splitlines()


def main() -> None:
    """Judge every variant, rewrite the table and say what complains."""
    passed = []
    for name, (call, entry) in variants().items():
        try:
            complaint = judge(name, call, entry)
        except Exception as error:  # a tool: whatever is wrong with one variant, show it and go on
            complaint = f"{type(error).__name__}: {error}"
        if complaint == "":
            passed.append(name)
        elif complaint:
            print(f"{name}: {complaint[:200]}")
    TABLE.write_text("".join(f"{name}\n" for name in sorted(passed)))
    entries = [name for name in variants() if not name.endswith(")")]
    own = [name for name in passed if not name.endswith(")")]
    print(f"{len(own)} of {len(entries)} op_db variants pass by rules alone ({len(passed)} with")
    print("their method and in-place forms)")


if __name__ == "__main__":
    main()
