"""Gradients as something that a test asserts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .api import Tape
from .capsule import write_faults
from .compare import Verdict
from .completeness import below
from .recorder import Recorder
from .report import Report
from .tape import map_tensors, tensors

_DOUBTFUL = (Verdict.DIFFERENT, Verdict.AMBER, Verdict.UNVERIFIED)


def assert_gradients(
    fn: Callable[..., Any], *inputs: Any, capsule: str | Path | None = None, **kwargs: Any
) -> Report:
    """Run ``fn(*inputs, **kwargs)`` and check every gradient on the way, by hand and autograd's.

    What is differentiated is the sum of its outputs, each element weighted with a random number
    that is always the same; a single scalar is differentiated as it is. The gradients are those
    of the inputs that require grad, and of all parameters that `fn` uses. Nothing is added to
    any `.grad`.

    Args:
        fn: a function or an nn.Module.
        capsule: a folder to write a repro capsule of every wrong op into.

    Raises:
        AssertionError: with the table, if a gradient is wrong or nothing can verify it.
        ValueError: if no output requires grad.
    """
    __tracebackhide__ = True
    inputs, kwargs = map_tensors(_leaf, (inputs, kwargs))
    with recording() as tape:
        loss = _loss(list(tensors(fn(*inputs, **kwargs))))
        torch.autograd.grad(loss, list(_leaves(loss)))
    return verified(tape, capsule)


def recording() -> Recorder:
    """A recording that names everything by the models that it meets."""
    return Recorder(None, Tape(), discover=True)


def verified(tape: Any, capsule: str | Path | None = None) -> Report:
    """The report of a tape on which every gradient is right, by a rule or by differences.

    Raises:
        AssertionError: with the table, if one is not.
    """
    __tracebackhide__ = True
    report: Report = tape.check(numeric=True)
    doubts = {row.isolated for row in report.ops}.intersection(_DOUBTFUL)
    if report.verdict in _DOUBTFUL[:2] or doubts or report.coverage.unseen:
        said = [str(report)]
        if capsule is not None:
            said += write_faults(capsule, tape, report, {}).values()
        raise AssertionError("\n".join(["the gradients are not verified", *said]))
    return report


def _leaf(tensor: Tensor) -> Tensor:
    """The graph that a caller has is neither entered nor added to."""
    return tensor.detach().requires_grad_() if tensor.requires_grad else tensor


def _loss(outputs: Sequence[Tensor]) -> Tensor:
    grown = [output for output in outputs if output.requires_grad]
    if not grown:
        raise ValueError("there is nothing to differentiate: let an input require grad")
    if len(grown) == 1 and grown[0].dim() == 0 and not grown[0].is_complex():
        return grown[0]
    generator = torch.Generator().manual_seed(0)
    terms = []
    for output in grown:
        real = torch.view_as_real(output.resolve_conj()) if output.is_complex() else output
        weights = torch.randn(real.shape, generator=generator).to(real)
        terms.append((real * weights).sum())
    return torch.stack(terms).sum() if len(terms) > 1 else terms[0]


def _leaves(loss: Tensor) -> Iterator[Tensor]:
    """Every tensor at the end of its graph."""
    for node in below([loss]):
        if isinstance(leaf := getattr(node, "variable", None), Tensor):
            yield leaf
