"""A program cut into training steps, watched or not."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

from backprop_tui.stepper import Pace
from backprop_tui.tape import Tape


class Log:
    """What a `Pace` told, and the program that it told of."""

    def __init__(self, wanted=lambda number: True, **options) -> None:
        self.tapes: dict[int, Tape] = {}
        self.passes: list[int] = []
        self.pace = Pace(
            wanted, self.tapes.__setitem__, lambda number, _: self.passes.append(number), **options
        )

    def __enter__(self):
        return self.pace.__enter__()

    def __exit__(self, *error):
        if error[0] is None:
            self.pace.finish()
        self.pace.__exit__(*error)

    def ops(self, number):
        return [op.name for op in self.tapes[number].ops]


def train(steps=4, modules=True, metric=False):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), nn.Linear(4, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    losses = []
    for _ in range(steps):
        x = torch.randn(5, 3)
        y = model(x) if modules else F.linear(x, model[0].weight).sum(1, keepdim=True)
        loss = y.pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if metric:
            (y > 0).sum().item()
            y.argmax()
        losses.append(loss.detach().clone())
    return torch.stack(losses), torch.cat([p.detach().flatten() for p in model.parameters()])


def test_every_step_has_a_tape_of_its_own():
    log = Log()
    with log:
        train(3, metric=True)
    assert list(log.tapes) == [1, 2, 3] and log.passes == [1, 2, 3]
    assert "mean" in log.ops(2) and "argmax" in log.ops(2)
    for tape in log.tapes.values():
        assert len(tape.backwards) == 1 and len(tape.updates) == 4
        assert [v.name for v in tape.values if v.leaf and v.requires_grad] == [
            "0.weight", "0.bias", "2.weight", "2.bias",
        ]  # fmt: skip


@pytest.mark.parametrize("modules", [True, False])
@pytest.mark.parametrize(
    "wanted", [lambda n: n == 3, lambda n: n % 2 == 0, lambda n: n == 1, lambda n: n > 6]
)
def test_only_what_is_wanted_is_recorded(wanted, modules):
    expected = train(6, modules)
    log = Log(wanted)
    with log as pace:
        found = train(6, modules)
    assert list(log.tapes) == [n for n in range(1, 7) if wanted(n)]
    assert pace.number == 6
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    for number, tape in log.tapes.items():
        assert number == 1 or tape.ops[0].name == "linear"
        assert len(tape.updates) == (4 if modules else 1)
    assert torch._C._len_torch_function_stack() == 0


def test_modes_of_the_programs_own_stay_in_their_order():
    log = Log(lambda n: n % 2 == 0)
    with log, torch.device("cpu"):
        train(5)
        assert torch._C._len_torch_function_stack() >= 1
    assert list(log.tapes) == [2, 4]
    assert torch._C._len_torch_function_stack() == 0


def test_passes_over_one_graph_are_one_step():
    log = Log()
    x = torch.ones(3, requires_grad=True)
    with log:
        for _ in range(2):
            y = x * 2
            a, b = y.sum(), y.prod()
            a.backward(retain_graph=True)
            b.backward()
    assert [len(tape.backwards) for tape in log.tapes.values()] == [2, 2]


def test_a_gradient_penalty_is_one_step():
    log = Log()
    x = torch.ones(3, requires_grad=True)
    with log:
        for _ in range(2):
            (g,) = torch.autograd.grad((x**3).sum(), x, create_graph=True)
            (g**2).sum().backward()
    first = log.tapes[1]
    assert len(log.tapes) == 2 and [b.creates_graph for b in first.backwards] == [True, False]


@pytest.mark.parametrize("wanted", [lambda n: True, lambda n: n == 2])
def test_what_checkpoints_run_again_is_no_step(wanted):
    log = Log(wanted)
    layer = nn.Linear(3, 3)
    with log as pace:
        for _ in range(3):
            x = torch.randn(2, 3, requires_grad=True)
            h = checkpoint(layer, x, use_reentrant=True)
            checkpoint(layer, h, use_reentrant=True).sum().backward()
    assert pace.number == 3 and len(log.tapes) == (1 if wanted(2) and not wanted(1) else 3)


def test_closures_of_lbfgs_are_steps():
    log = Log()
    w = torch.zeros(2, requires_grad=True)
    optimizer = torch.optim.LBFGS([w], max_iter=3)

    def closure():
        optimizer.zero_grad()
        loss = (w - 1).pow(2).sum() + (w - 2).pow(4).sum()
        loss.backward()
        return loss

    with log:
        optimizer.step(closure)
    assert len(log.tapes) >= 2


def test_a_closure_makes_the_gradients_of_the_step_that_calls_it():
    log = Log()
    w = torch.ones(2, requires_grad=True)
    optimizer = torch.optim.Adam([w], lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = (w - 3).pow(2).sum()
        loss.backward()
        return loss

    with log:
        for _ in range(2):
            before = w.detach().clone()
            optimizer.step(closure=closure)
    updates = log.tapes[2].updates
    assert len(updates) == 1
    assert torch.equal(updates[0].before, before) and torch.equal(updates[0].after, w)
    assert torch.equal(updates[0].grad, 2 * (before - 3))
    assert "addcdiv_" not in [op.name for op in log.tapes[2].ops]  # Adam's own arithmetic


def test_leaves_are_called_by_their_variable():
    log = Log()
    w1 = torch.ones(2, requires_grad=True)
    biases = [torch.ones(2, requires_grad=True)]
    with log:
        (w1 * 2 + biases[0]).sum().backward()
    variables = [v.variable for v in log.tapes[1].values if v.leaf and v.requires_grad]
    assert variables == ["w1", "biases[0]"]


def test_several_models_are_told_apart_by_their_variables():
    log = Log()
    encoder, decoder = nn.Linear(2, 2), nn.Linear(2, 1)
    with log:
        decoder(encoder(torch.ones(1, 2))).sum().backward()
    names = {v.name for v in log.tapes[1].values if v.leaf and v.requires_grad}
    assert names == {"weight", "bias", "decoder.weight", "decoder.bias"}


def test_a_layer_called_alone_is_named_within_its_model():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 1)

        def training_step(self):
            return self.layer(torch.ones(1, 2)).sum()

    log = Log()
    model = Model()
    with log:
        model.training_step().backward()
    assert {v.name for v in log.tapes[1].values if v.requires_grad and v.leaf} == {
        "layer.weight",
        "layer.bias",
    }


def test_the_generators_go_on_where_they_were():
    import random

    import numpy as np

    def draws():
        torch.manual_seed(0), random.seed(0), np.random.seed(0)
        train(2)
        return torch.rand(1).item(), random.random(), np.random.rand()

    expected = draws()
    torch.manual_seed(1)

    def disturb(number, tape):
        torch.rand(3), random.random(), np.random.rand()

    with Pace(lambda n: True, disturb) as pace:
        found = draws()
        pace.finish()
    assert found == expected


def test_only_a_part_is_recorded_and_judged():
    from backprop_tui.check import check

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Sequential(nn.Tanh(), nn.Linear(4, 4)), nn.ReLU())
    log = Log(inside=lambda path: path.startswith("1"))
    with log:
        model(torch.ones(2, 3)).sum().backward()
    tape = log.tapes[1]
    assert [op.name for op in tape.ops] == ["tanh", "linear"]
    report = check(tape)
    assert {str(row.isolated) for row in report.ops} <= {"exact", "rounding"}
    assert {row.name: str(row.verdict) for row in report.parameters}["1.1.weight"] == "unverified"


def test_a_checkpoint_ends_no_step_and_is_recorded_with_it():
    layer, head = nn.Linear(3, 3), nn.Linear(3, 1)
    log = Log()
    with log:
        for _ in range(3):
            x = torch.ones(2, 3, requires_grad=True)
            head(checkpoint(layer, x, use_reentrant=True)).sum().backward()
    passes = [[backward.after for backward in tape.backwards] for tape in log.tapes.values()]
    assert len(passes) == 3 and all(outer < inner for outer, inner in passes)


def test_a_step_as_if_it_were_differentiated_here():
    w = torch.ones(3, requires_grad=True)
    log = Log()
    with log as pace:
        loss = (w * w).sum()
        assert pace.stepper is not None
        with torch._C.DisableTorchFunction():
            tape = pace.stepper.as_if(loss)
        assert w.grad is None
        loss.backward()
    assert [2.0] * 3 in [grad.tolist() for grad in tape.backwards[0].cotangents.values()]
    assert len(log.tapes[1].backwards) == 1
