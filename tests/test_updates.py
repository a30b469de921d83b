"""Optimizers' updates by hand, against torch's."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from backprop_tui.recorder import record
from backprop_tui.report import AGREED
from backprop_tui.rules.optimizer import UPDATES
from backprop_tui.walk import walk

OPTIMIZERS = [
    (torch.optim.SGD, {"lr": 0.1}),
    (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}),
    (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "dampening": 0.5}),
    (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True, "maximize": True}),
    (torch.optim.Adam, {"lr": 1e-2}),
    (torch.optim.Adam, {"lr": 1e-2, "weight_decay": 0.1, "amsgrad": True}),
    (torch.optim.AdamW, {"lr": 1e-2, "betas": (0.8, 0.95), "maximize": True}),
    (torch.optim.RMSprop, {"lr": 1e-2}),
    (torch.optim.RMSprop, {"lr": 1e-2, "momentum": 0.9, "centered": True, "weight_decay": 0.1}),
]


@pytest.mark.parametrize(("optimizer", "options"), OPTIMIZERS)
@pytest.mark.parametrize("foreach", [False, True])
def test_three_steps_of_every_optimizer_agree(optimizer, options, foreach):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3))
    x = torch.randn(4, 5)
    stepper = optimizer(model.parameters(), foreach=foreach, **options)
    for _ in range(3):
        stepper.zero_grad()
        with record(model) as tape:
            model(x).square().sum().backward()
            stepper.step()
        updates = [group for group in walk(tape, title="").groups if group.phase == "update"]
        assert [group.title for group in updates] == [
            f"{optimizer.__name__} {name}" for name, _ in model.named_parameters()
        ]
        assert all(group.isolated.verdict in AGREED for group in updates)


def test_a_wrong_update_is_different(monkeypatch):
    def forgets_lr(param, grad, **_):
        param = param - grad
        return param

    monkeypatch.setitem(UPDATES, torch.optim.SGD, forgets_lr)
    model = nn.Linear(2, 2)
    stepper = torch.optim.SGD(model.parameters(), lr=0.5)
    with record(model) as tape:
        model(torch.ones(1, 2)).sum().backward()
        stepper.step()
    updates = [group for group in walk(tape, title="").groups if group.phase == "update"]
    assert all(group.isolated.verdict == "different" for group in updates)


def test_an_optimizer_without_a_rule_is_shown_as_not_checked():
    model = nn.Linear(2, 2)
    stepper = torch.optim.Adagrad(model.parameters())
    with record(model) as tape:
        model(torch.ones(1, 2)).sum().backward()
        stepper.step()
    updates = [group for group in walk(tape, title="").groups if group.phase == "update"]
    assert [group.title for group in updates] == ["Adagrad weight", "Adagrad bias"]
    assert all(group.rule is None and group.isolated is None for group in updates)
