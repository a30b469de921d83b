"""A rule traced line by line, and a whole training step as a list of such lines."""
from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from .compare import Comparison

@dataclass(frozen=True)
class Line:
    """One statement of a rule as it ran, with what it read and what it bound."""

    function: str                 # "linear" or "linear.backward"
    file: str                     # path of the rule's file
    first: int                    # first and last line number of the statement in that file
    last: int
    text: str                     # the statement's source, dedented
    target: str                   # the name it bound, "dweight"
    statement: ast.stmt
    reads: Mapping[str, Any]      # names it read, with their values at that moment
    value: Any                    # what it bound (a tensor)

@dataclass(frozen=True)
class Twin:
    """The tensor of autograd (or of torch) that a step's value stands beside."""

    label: str                    # "pgrad[2]", "y_pred", "loss_fn"
    detail: str                   # "2.weight"
    value: Tensor
    comparison: Comparison        # of the step's value with this one (chained)

@dataclass(frozen=True)
class Step:
    """The smallest step of the debugger: one value comes into being."""

    index: int
    phase: str                    # "forward" | "loss" | "backward" | "update"
    group: int                    # number of the op visit it belongs to; n/N moves by it
    layer: str                    # module path, "0"; "" for what is outside the model; ] and [ move by it
    name: str                     # Python identifier in the REPL: "x4", "rex4", "sum_rex2"
    label: str                    # as shown on screen: "sum(rex2)"
    value: Tensor
    formula: str                  # "rex4 = reᵀ · x4"
    algebra: str                  # "5×2 · 2×4 = 5×4"
    note: str                     # one sentence of the lesson, may be empty
    line: Line | None             # None for the seed dL/dloss = 1
    names: Mapping[str, str]      # the rule's own name -> name on screen, for this line ("dy" -> "re")
    twin: Twin | None = None

@dataclass(frozen=True)
class Group:
    """One op visited in one phase: a foldable heading over its steps."""

    index: int
    phase: str
    layer: str
    title: str                    # "0 Linear 3→4"
    rule: str | None              # rule name, None where there is none
    source: tuple[str, int] | None   # the user's own file and line
    formula: str                  # PyTorch's own formula or the rule's one-line summary
    isolated: Comparison | None
    steps: tuple[int, ...]        # indices into Trace.steps

@dataclass(frozen=True)
class Given:
    """A tensor that the step starts from: x, P0..P3, y."""

    name: str
    label: str
    detail: str                   # "0.weight"
    value: Tensor
    phase: str                    # the phase whose pane shows it first: "forward" or "loss"

@dataclass(frozen=True)
class Trace:
    """One training step, computed whole; the screen shows it up to a cursor."""

    title: str
    iteration: int                # 1-based
    given: tuple[Given, ...]
    groups: tuple[Group, ...]
    steps: tuple[Step, ...]
    loss: float
    gradient_norms: Mapping[str, float]      # parameter name on screen -> norm of autograd's gradient

    def namespace(self, at: int) -> dict[str, Any]:
        """Every name that holds at step `at` (inclusive), as the REPL binds it:
        x, y, P0.., x1.., re, rex4.., and pgrad (a list, None until autograd's phase has reached it) and grad (a dict)."""
        raise NotImplementedError
