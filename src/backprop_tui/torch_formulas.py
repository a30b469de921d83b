"""PyTorch's own derivative formulas, by the name of the node that autograd made."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .tape import Op

_OF_ONE_OP = 5  # a linear layer: its product, what turns its weight, and three leaves first seen
_RESHAPES = {"ViewBackward0", "UnsafeViewBackward0", "ReshapeAliasBackward0"}
_RESHAPING = {"view", "view_as", "reshape", "reshape_as", "flatten", "unflatten", "ravel"}


def telling(op: Op) -> str:
    """The node whose formula is the op's; "" of a composite, whose last node says little of it.

    So says a reshape that an op of more dimensions ends in.
    """
    reshaped = op.node in _RESHAPES and op.name not in _RESHAPING
    return "" if op.nodes > _OF_ONE_OP or reshaped else op.node


def formula_of(node: str) -> str:
    """``self: threshold_backward(grad, result, 0)`` for "ReluBackward0"; "" where unknown.

    The formulas are those of the installed torch: its wheel carries ``derivatives.yaml``,
    from which its autograd is generated. The first call reads it, which takes a moment.
    """
    return "\n".join(f"{name}: {text}" for name, text in _formulas().get(node, {}).items())


@functools.cache
def _formulas() -> Mapping[str, Mapping[str, str]]:
    found: dict[str, Mapping[str, str]] = {}
    count: Counter[str] = Counter()
    for entry in _entries():
        call, _, _ = entry["name"].partition("->")
        prefix = _node_prefix(re.split(r"[.(]", call)[0])
        formulas = entry.get("dispatch", {}).get("Default", entry)
        arguments = set(re.findall(r"\w+", call.partition("(")[2]))
        gradients = {
            name: " ".join(str(text).split())
            for name, text in formulas.items()
            if arguments.issuperset(name.split(", ")) and text != "non_differentiable"
        }
        if gradients:
            found[f"{prefix}{count[prefix]}"] = gradients
            count[prefix] += 1
    return found


def _entries() -> list[dict[str, Any]]:
    spec = find_spec("torchgen")
    folders = spec.submodule_search_locations if spec else None
    file = Path((folders or [""])[0], "packaged", "autograd", "derivatives.yaml")
    if not file.is_file():
        return []
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    entries: list[dict[str, Any]] = yaml.load(file.read_text(encoding="utf-8"), Loader=loader)
    return entries


def _node_prefix(name: str) -> str:
    """As torchgen names nodes: "mse_loss" -> "MseLossBackward"."""
    camel = "".join(part.title() for part in name.split("_"))
    return f"{camel}Backward".replace("ForwardBackward", "Backward")
