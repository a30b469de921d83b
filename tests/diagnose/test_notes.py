"""What one kind of finding says beside another one, and where it is only a note or silent."""

from __future__ import annotations

import inspect

import torch
from torch import nn
from torch.nn import functional as F

from backprop_tui.diagnose import Diagnosis
from backprop_tui.finding import Severity
from backprop_tui.recorder import record

X, Y = torch.randn(8, 4, generator=torch.manual_seed(0)), torch.arange(8) % 3


def findings(step, model=None, steps=1):
    """What is found in some steps, by kind."""
    diagnosis = Diagnosis()
    for number in range(1, steps + 1):
        with record(model) as tape:
            step()
        diagnosis.examine(tape, number)
    return {finding.kind: finding for finding in diagnosis.findings}


def trained(model):
    """A step of a classifier."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step():
        optimizer.zero_grad()
        loss = F.cross_entropy(model(X), Y)
        loss.backward()
        optimizer.step()

    return step


def line(function, text):
    lines, first = inspect.getsourcelines(function)
    return next(number for number, each in enumerate(lines, first) if text in each)


def test_a_loss_claimed_back_and_the_cut_that_it_hides_are_two_findings():
    model = nn.Linear(4, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step():
        logits = model(X).detach()
        loss = F.cross_entropy(logits, Y)
        loss.requires_grad_()
        loss.backward()
        optimizer.step()

    found = findings(step, model)
    cut, claimed = found["cut-graph"], found["reclaimed-loss"]
    assert cut.source.line == line(step, "detach") and "detach cuts" in cut.message
    assert claimed.source.line == line(step, "requires_grad_()")
    assert cut.severity is claimed.severity is Severity.ERROR


def test_a_target_network_that_the_optimizer_has_too_is_no_error():
    online, target = nn.Linear(4, 3), nn.Linear(4, 3)
    target.load_state_dict(online.state_dict())
    optimizer = torch.optim.SGD([*online.parameters(), *target.parameters()], lr=0.1)

    def step():
        optimizer.zero_grad()
        F.mse_loss(online(X), target(X).detach()).backward()
        optimizer.step()

    with torch.no_grad():
        target.weight += 0.01
    assert "cut-graph" not in findings(step)


def test_another_network_behind_a_detach_is_one():
    online, other = nn.Linear(4, 3), nn.Linear(4, 3)
    optimizer = torch.optim.SGD([*online.parameters(), *other.parameters()], lr=0.1)

    def step():
        optimizer.zero_grad()
        F.mse_loss(online(X), other(X).detach()).backward()
        optimizer.step()

    assert findings(step)["cut-graph"].severity is Severity.ERROR


def network(*between):
    return nn.Sequential(nn.Linear(4, 8), *between, nn.Linear(8, 3))


def test_dropout_that_drops_nothing_in_training_is_a_warning():
    model = network(nn.Dropout(0.5)).eval()
    assert findings(trained(model), model)["evaluation-mode"].severity is Severity.WARNING


def test_batch_norm_alone_in_evaluation_mode_may_be_frozen_which_is_a_note():
    model = network(nn.BatchNorm1d(8)).eval()
    assert findings(trained(model), model)["evaluation-mode"].severity is Severity.NOTE


def test_an_evaluation_that_nobody_ended_is_a_warning_for_batch_norm_too():
    model = network(nn.BatchNorm1d(8))
    step, count = trained(model), iter(range(9))

    def switched():
        if next(count) == 1:
            model.eval()
        step()

    found = findings(switched, model, steps=2)["evaluation-mode"]
    assert found.severity is Severity.WARNING and "earlier step" in found.why
    assert found.source.line == line(switched, "model.eval()")


def test_in_training_mode_there_is_nothing_to_say():
    model = network(nn.BatchNorm1d(8), nn.Dropout(0.5))
    assert "evaluation-mode" not in findings(trained(model), model)


def test_a_frozen_part_in_evaluation_mode_is_as_it_should_be():
    model = network(nn.BatchNorm1d(8))
    model[0].requires_grad_(False)
    model[1].requires_grad_(False).eval()
    optimizer = torch.optim.SGD(model[2].parameters(), lr=0.1)

    def step():
        optimizer.zero_grad()
        F.cross_entropy(model(X), Y).backward()
        optimizer.step()

    assert "evaluation-mode" not in findings(step, model)
