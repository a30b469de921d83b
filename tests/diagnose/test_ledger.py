"""The ledger of `.grad`: every parameter's gradient is accounted for."""

from __future__ import annotations

import torch
from torch import nn

from backprop_tui.diagnose.ledger import described, ledger
from backprop_tui.recorder import record

X = torch.arange(6.0).reshape(2, 3)


def account(tape, name):
    (found,) = [each for each in ledger(tape) if tape.values[each.value].name == name]
    return found


def test_a_shared_weight_has_an_entry_for_each_use():
    model = nn.Linear(3, 3, bias=False)
    with record(model) as tape:
        model(torch.tanh(model(X))).sum().backward()
    found = account(tape, "weight")
    assert [each.op.index for each in found.added] == [0, 2]
    parts = [each.gradient for each in found.added]
    assert torch.equal(parts[0] + parts[1], model.weight.grad)
    assert found.leftover is None and found.used is None and torch.equal(found.total, sum(parts))


def test_two_passes_add_up_on_what_was_left_over():
    model = nn.Linear(3, 1)
    model(X).sum().backward()
    before = model.weight.grad.clone()
    with record(model) as tape:
        model(X).sum().backward()
        model(2 * X).sum().backward()
    found = account(tape, "weight")
    assert torch.equal(found.leftover, before)
    assert [each.backward for each in found.added] == [0, 1]
    assert torch.equal(found.total, model.weight.grad)


def test_what_was_zeroed_between_two_passes_does_not_count():
    model = nn.Linear(3, 1)
    with record(model) as tape:
        model(X).sum().backward()
        model.zero_grad()
        model(2 * X).sum().backward()
    found = account(tape, "weight")
    assert [each.backward for each in found.added] == [1]
    assert torch.equal(found.total, model.weight.grad)


def test_the_step_used_what_the_clip_left():
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with record(model) as tape:
        model(X).sum().backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
    found = account(tape, "weight")
    assert torch.equal(found.used, model.weight.grad)
    assert abs(found.scale - 0.5 / float(norm)) < 1e-6


def test_a_change_that_is_no_scaling_has_no_factor():
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with record(model) as tape:
        model(X).sum().backward()
        model.weight.grad[0, 0] += 1
        optimizer.step()
    assert account(tape, "weight").scale is None and account(tape, "bias").scale == 1


def test_the_ledger_in_lines():
    model = nn.Linear(3, 3, bias=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model(X).sum().backward()
    before = model.weight.grad.norm()
    with record(model) as tape:
        model(torch.tanh(model(X))).sum().backward()
        whole = model.weight.grad.norm()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
    name, left, first, second, used = described(tape)
    assert name == ("weight.grad", f"‖{float(whole):.4g}‖")
    assert left == ("  left over from before", f"‖{float(before):.4g}‖")
    assert first[0].startswith("  + linear  test_ledger.py:") and first[0] == second[0]
    assert used == ("  used by the step", f"‖0.5‖  {0.5 / float(whole):.4g} of it")
