"""The manual derivation: agreeing where all is right, naming the culprit where it is not."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import backprop_tui as bp
from backprop_tui.backward import derive
from backprop_tui.compare import Verdict
from backprop_tui.numeric import widen
from backprop_tui.recorder import record
from backprop_tui.report import AGREED
from backprop_tui.rules import registry
from backprop_tui.visit import isolate
from backprop_tui.walk import walk


def wrong_relu(input, inplace=False):
    y = torch.where(input > 0, input, 0)

    def backward(dy):
        dinput = dy * 1  # the mask is missing
        return dinput

    return y, backward


def two_hidden() -> nn.Sequential:
    torch.manual_seed(0)
    layers = [nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 7), nn.ReLU(), nn.Linear(7, 3)]
    return nn.Sequential(*layers)


def recorded(model: nn.Module):
    x, y = torch.randn(16, 6), torch.randn(16, 3)
    with record(model) as tape:
        F.mse_loss(model(x), y).backward()
    return tape


def test_isolated_names_the_culprit_where_chained_blames_everything_after_it(monkeypatch):
    model = two_hidden()
    tape = recorded(model)
    right = registry.RULES[F.relu]

    def only_there(input, inplace=False):
        """Wrong at the second of the two ReLUs."""
        return (wrong_relu if input.shape[-1] == 7 else right.function)(input, inplace)

    broken = registry.Rule("relu", only_there, right.targets, right.samples)
    monkeypatch.setitem(registry.RULES, F.relu, broken)
    trace = walk(tape, title="")
    isolated = {g.title: g.isolated.verdict for g in trace.groups if g.isolated}
    different = [title for title, verdict in isolated.items() if verdict is Verdict.DIFFERENT]
    assert different == ["3 ReLU"] and len(isolated) == 6
    chained = {g.label: g.comparison.verdict for g in trace.gradients}
    assert [v is Verdict.DIFFERENT for v in chained.values()] == [True] * 4 + [False] * 2


@pytest.mark.parametrize("seed", range(10))
def test_a_value_used_twice_gets_the_sum_of_its_cotangents(seed):
    torch.manual_seed(seed)
    a = torch.randn(4, 3, requires_grad=True)
    w = torch.randn(3, 3, requires_grad=True)
    with record() as tape:
        h = a @ w
        loss = (h * h + h @ w).sum()
        loss.backward()
    derivation = derive(tape, tape.backwards[0])
    found = [derivation.cotangents[tape.ops[0].inputs[i]] for i in (0, 1)]
    torch.testing.assert_close(found[0], a.grad)
    torch.testing.assert_close(found[1], w.grad)
    trace = walk(tape, title="")
    assert trace.worst() in (Verdict.EXACT, Verdict.ROUNDING)
    assert any(" + " in step.formula and step.line is None for step in trace.steps)


def test_isolation_feeds_autograds_own_cotangents():
    tape = recorded(two_hidden())
    visit = isolate(tape.backwards[0], tape.ops[4], convert=widen)
    incoming = tape.backwards[0].cotangents[tape.ops[4].results[0]]
    assert torch.equal(visit.incoming[0], incoming.double())
    assert visit.outgoing[1].dtype is torch.float64


def test_a_tape_without_a_backward_says_what_is_missing():
    with record() as tape:
        torch.ones(2).sum()
    with pytest.raises(ValueError, match=r"call loss\.backward\(\) inside the recording"):
        walk(tape, title="")


def roots_of_one_op(x):
    parts = (2 * x).unbind(0)
    return parts[0], parts[2]


def root_on_the_way_to_another(x):
    inner = x.exp()
    return inner, 3 * inner


def root_twice(x):
    y = x.sin()
    return y, y


def memory_and_what_is_made_of_it(x):
    torch.manual_seed(0)
    return nn.LSTMCell(4, 2)(x)


def memory_alone(x):
    return memory_and_what_is_made_of_it(x)[1:]


def memory_twice(x):
    return memory_alone(x) * 2


def parts_of_a_decomposition(x):
    u, s, v = torch.linalg.svd(x, full_matrices=False)
    return s, u @ s.diag() @ v


@pytest.mark.parametrize(
    "program",
    [
        roots_of_one_op,
        root_on_the_way_to_another,
        root_twice,
        memory_and_what_is_made_of_it,
        memory_alone,
        memory_twice,
        parts_of_a_decomposition,
    ],
)
def test_several_roots_of_one_backward(program):
    torch.manual_seed(1)
    x = torch.randn(3, 4, requires_grad=True)
    with bp.record() as tape:
        roots = program(x)
        torch.autograd.backward(roots, [torch.randn_like(root) for root in roots])
    report = tape.check()
    assert report.ok
    assert {op.isolated for op in report.ops} | {op.chained for op in report.ops} <= set(AGREED)
