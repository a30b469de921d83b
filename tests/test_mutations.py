"""No wrong derivative passes: autograd's answer is spoilt, op after op, and the op is named.

The ops and their inputs are those of PyTorch's own op_db. What autograd gave to one input is
replaced by something wrong, as a faulty kernel would have given it, and the op is judged alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import pytest
import torch
from torch import Tensor
from torch.testing._internal.common_methods_invocations import op_db

import backprop_tui as bp
from backprop_tui.compare import Verdict
from backprop_tui.tape import Backward, Op
from backprop_tui.visit import isolate
from backprop_tui.witness import DRAWS, Alone, contributions

SAMPLES = 2

COARSE = {"bfloat16", "half", "chalf"}
"""They hand on a cotangent in 16 bits, of which two numbers next to each other are 1 % apart."""

GAUGE = {
    "linalg.eigh": "the sign of an eigenvector is LAPACK's choice, another one in float64",
    "nn.functional.fractional_max_pool2d": "float64 draws other places to pool than float32",
    "nn.functional.fractional_max_pool3d": "float64 draws other places to pool than float32",
    "as_strided_scatter": "autograd's own answer is wrong: see the rule",
    "logcumsumexp": "autograd's own answer is wrong at infinities: see the rule",
}
"""Where the truth in float64 is no witness."""

VARIANTS = [
    op
    for op in op_db
    if op.supports_autograd and torch.float32 in op.supported_dtypes("cpu") and op.name not in GAUGE
]


def spoilt(answer: Tensor, coarse: bool) -> Iterator[tuple[str, Tensor]]:
    """Wrong answers, each with what was done to it."""
    flat = answer.reshape(-1)
    there = torch.arange(len(flat))[flat.abs() > 0]  # NaN is not
    if not len(there):
        return
    at = int(there[len(there) // 2])
    yield "all zeros", torch.zeros_like(answer)
    yield "negated", -answer
    yield "doubled", answer * 2
    if not coarse:
        yield "too large by a hundredth", answer * 1.01
    for name, wrong in (("one is NaN", torch.nan), ("one is infinite", torch.inf)):
        changed = flat.clone()
        changed[at] = wrong
        yield name, changed.view_as(answer)


def instead(backward: Backward, op: Op, value: int, wrong: Tensor) -> Backward:
    """The pass as it had been with a wrong answer for one input of the op."""
    if (op.index, value) in backward.contributions:
        return replace(backward, contributions={**backward.contributions, (op.index, value): wrong})
    return replace(backward, cotangents={**backward.cotangents, value: wrong})


def is_noise(alone: Alone, value: int, manual: Tensor) -> bool:
    """Whether rounding alone, in the inputs or in the op, moves this gradient by 1e-4 of it."""
    truth = alone.truth[value]
    others = [manual, *(alone.moved(draw)[value] for draw in range(DRAWS))]
    moved = [float((other - truth).norm()) for other in others]
    return not max(moved) < 1e-4 * float(truth.norm())


@pytest.mark.parametrize("op", VARIANTS, ids=lambda op: f"{op.name}-{op.variant_test_name}")
def test_a_spoilt_answer_is_different(op):
    torch.manual_seed(0)
    for sample in islice(op.sample_inputs("cpu", torch.float32, requires_grad=True), SAMPLES):
        with warnings.catch_warnings(), bp.record() as tape:
            warnings.simplefilter("ignore")
            output = op(sample.input, *sample.args, **sample.kwargs)
            output = sample.output_process_fn_grad(output)  # of an eigenvector no sign can matter
            flat = output if isinstance(output, (tuple, list)) else [output]
            roots = [y for y in flat if isinstance(y, Tensor) and y.grad_fn is not None]
            roots = [root for root in roots if root.layout == torch.strided]
            if not roots:
                continue
            torch.autograd.backward(roots, [0.5 + torch.rand_like(root) for root in roots])
        (backward,) = tape.backwards
        for call in tape.ops[: backward.after]:
            visit = isolate(backward, call)
            if visit.rule is None:
                continue
            for value, manual, autograd in contributions(backward, call, visit.outgoing):
                if is_noise(Alone(backward, call), value, manual):
                    continue
                for name, wrong in spoilt(autograd, op.name in COARSE):
                    verdict = Alone(instead(backward, call, value, wrong), call).verdict()
                    assert verdict is Verdict.DIFFERENT, (call.name, name, verdict)
