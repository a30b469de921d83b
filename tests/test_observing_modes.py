"""Under modes, default devices and odd layouts a program goes on as if nobody watched."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

import backprop_tui as bp
from backprop_tui.compare import Verdict


class Plus(torch.autograd.Function):
    """Makes a tensor of its own, where the program makes them by default."""

    @staticmethod
    def forward(ctx, x):
        return x + torch.ones(3)

    @staticmethod
    def backward(ctx, dy):
        return dy


class Functions(TorchFunctionMode):
    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        name = getattr(func, "__name__", "")
        if name not in ("__get__", "backward"):  # attributes, which the recorder reads too
            self.seen.append(name)
        return func(*args, **(kwargs or {}))


class Kernels(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.seen.append(str(func))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("mode", [Functions, Kernels])
@pytest.mark.parametrize("outside", [True, False])
def test_a_mode_of_the_programs_sees_what_it_would_see(mode, outside):
    def seen(recording):
        model, watching = nn.Sequential(nn.Linear(3, 3), nn.ReLU()), mode()
        x = torch.ones(2, 3)
        first, second = (watching, recording) if outside else (recording, watching)
        with first, second:
            Plus.apply(model(x)).sum().backward()
        return watching.seen

    assert seen(bp.record()) == seen(nullcontext())


def test_a_function_makes_its_tensors_on_the_default_device():
    with torch.device("meta"):
        x = torch.ones(3, requires_grad=True)
        with bp.record() as tape:
            Plus.apply(x).sum().backward()
    assert x.grad.is_meta and [op.name for op in tape.ops] == ["Plus", "sum"]
    with pytest.raises(ValueError, match="no numbers"):
        tape.check()


def test_what_was_first_seen_in_inference_mode_is_known_when_it_trains():
    model, x = nn.Linear(3, 3), torch.ones(2, 3)
    with bp.record(model) as tape:
        with torch.inference_mode():
            model(x * 2)
        model(x).sum().backward()
    report = tape.check()
    assert report.ok and [row.name for row in report.parameters] == ["weight", "bias"]


@pytest.mark.parametrize("layout", [torch.strided, torch.jagged])
def test_what_nested_tensors_give_is_not_verified(layout):
    model = nn.Linear(4, 4)
    parts = [torch.ones(2, 4), torch.ones(3, 4)]
    with bp.record(model) as tape:
        output = model(torch.nested.nested_tensor(parts, layout=layout))
        torch.nested.to_padded_tensor(output, 0.0).sum().backward()
    report = tape.check()
    assert {row.verdict for row in report.parameters} == {Verdict.UNVERIFIED} and not report.ok
    assert model.bias.grad.tolist() == [5.0] * 4
