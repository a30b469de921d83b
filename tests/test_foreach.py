"""Calls for lists of tensors: on the tape an op for each, as if the program had looped."""

from __future__ import annotations

import pytest
import torch

from backprop_tui.foreach import singles
from backprop_tui.recorder import record

GRADS = [torch.tensor([[0.5, 2.0], [1.0, 0.25]]), torch.tensor([3.0, 0.5])]
OTHERS = [torch.full((2, 2), 0.25), torch.full((2,), 4.0)]
ARGUMENTS = {
    "add": [({"alpha": -0.1}, OTHERS), ({}, 2.0), ({}, [1.0, 2.0]), ({}, torch.tensor(3.0))],
    "sub": [({"alpha": 0.5}, OTHERS), ({}, 2.0)],
    "mul": [({}, OTHERS), ({}, 2.0), ({}, [1.0, 2.0]), ({}, torch.tensor(3.0))],
    "div": [({}, OTHERS), ({}, 2.0), ({}, [1.0, 2.0])],
    "pow": [({}, OTHERS), ({}, 2.0)],
    "maximum": [({}, OTHERS)],
    "minimum": [({}, OTHERS)],
    "clamp_min": [({}, OTHERS), ({}, 1.0), ({}, [1.0, 2.0])],
    "clamp_max": [({}, 1.0)],
    "lerp": [({}, OTHERS, 0.3), ({}, OTHERS, OTHERS)],
    "addcmul": [({}, OTHERS, OTHERS, -0.1), ({"value": 2.0}, OTHERS, OTHERS)],
    "addcdiv": [
        ({}, OTHERS, OTHERS),
        ({}, OTHERS, OTHERS, [1.0, 2.0]),
        ({}, OTHERS, OTHERS, torch.tensor([1.0, 2.0])),
    ],
    "norm": [({}, 2.0), ({})],
    "copy_": [({}, OTHERS)],
    "zero_": [({},)],
}
PLAIN = "abs acos ceil cos erf exp floor log neg reciprocal round rsqrt sigmoid sign sin sqrt tanh"


def cases():
    for name in PLAIN.split():
        yield f"_foreach_{name}", (), {}
    for name, given in ARGUMENTS.items():
        for kwargs, *args in (each if isinstance(each, tuple) else (each,) for each in given):
            yield f"_foreach_{name}", tuple(args), kwargs
            if name[-1] != "_" and name not in ("norm", "maximum", "minimum"):
                yield f"_foreach_{name}_", tuple(args), kwargs


@pytest.mark.parametrize(("name", "args", "kwargs"), cases())
def test_each_op_of_the_call_computes_what_the_call_does(name, args, kwargs):
    def given():
        return [grad.clone() for grad in GRADS]

    expected = getattr(torch, name)(given(), *args, **kwargs)
    mine = given()
    with record() as tape:
        outputs = getattr(torch, name)(mine, *args, **kwargs)
    made = mine if expected is None or name[-1] == "_" else outputs
    ops = [op for op in tape.ops if op.name != "clone"]
    assert len(ops) == len(GRADS) and all(op.function is not None for op in ops)
    for op, whole in zip(ops, made, strict=True):
        torch.testing.assert_close(op.outputs[0], whole, rtol=0, atol=0, equal_nan=True)
        again = op.function(*(map(copied, op.args)), **op.kwargs)
        torch.testing.assert_close(again, whole, equal_nan=True)


def copied(arg):
    return arg.clone() if isinstance(arg, torch.Tensor) else arg


def test_what_autograd_follows_is_one_call():
    weights = [torch.ones(2, requires_grad=True), torch.ones(3, requires_grad=True)]
    with record() as tape:
        first, second = torch._foreach_mul(weights, 2.0)
        (first.sum() + second.sum()).backward()
    assert [op.name for op in tape.ops][:1] == ["_foreach_mul"]
    assert weights[0].grad.eq(2).all() and weights[1].grad.eq(2).all()


def test_no_other_call_is_split():
    assert singles("_foreach_add", (GRADS[0],), {}) == []
    assert singles("_foreach_pow", (2.0, GRADS), {}) == []
