"""Optimizers' updates by hand, against torch's."""

from __future__ import annotations

from inspect import signature

import pytest
import torch
from torch import nn
from torch.nn.utils import clip_grad_value_

import backprop_tui as bp
from backprop_tui import clipping
from backprop_tui.compare import Verdict
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


HOW = [{"foreach": False}, {"foreach": True}, {"fused": True}]


@pytest.mark.parametrize(
    ("optimizer", "options", "how"),
    [
        (optimizer, options, how)
        for optimizer, options in OPTIMIZERS
        for how in HOW
        if next(iter(how)) in signature(optimizer).parameters
    ],
)
def test_three_steps_of_every_optimizer_agree(optimizer, options, how):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3))
    x = torch.randn(4, 5)
    stepper = optimizer(model.parameters(), **how, **options)
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


class Line:
    def __init__(self):
        self.w = torch.ones(3, 1, requires_grad=True)
        self.rest = {"b": torch.zeros(1, requires_grad=True)}


def test_a_parameter_of_no_module_is_called_as_the_program_does():
    line, x, scale = Line(), torch.arange(6.0).reshape(2, 3), torch.ones(1, requires_grad=True)
    hidden = {(0,): scale}.get
    del scale
    stepper = torch.optim.SGD([line.w, line.rest["b"], hidden((0,))], lr=0.1)
    with bp.record() as tape:
        ((x @ line.w + line.rest["b"]) * hidden((0,))).sum().backward()
        stepper.step()
    report = tape.check()
    names = [row.name for row in report.updates]
    assert names[:2] == ["line.w", "line.rest['b']"] and names[2].startswith("test_updates.py:")
    assert {row.name for row in report.parameters} == set(names)


def trained(prepare=lambda model: None, passes=1, optimizer=torch.optim.SGD, **options):
    """A step in which `prepare` works on the gradients between backward and update."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3))
    stepper = optimizer(model.parameters(), lr=0.1, **options)
    with bp.record(model) as tape:
        for _ in range(passes):
            model(torch.randn(4, 5)).square().sum().backward()
        prepare(model)
        stepper.step()
    return tape, tape.check()


def clip_norm(model):
    nn.utils.clip_grad_norm_(model.parameters(), 0.5)


def clip_loosely(model):
    nn.utils.clip_grad_norm_(model.parameters(), 1e6)


def clip_one_by_foreach(model):
    nn.utils.clip_grad_norm_(model[0].weight, 0.1, foreach=True)


def clip_by_the_largest(model):
    nn.utils.clip_grad_norm_(model.parameters(), 0.01, norm_type=float("inf"))


def clip_by_cubes(model):
    nn.utils.clip_grad_norm_(model.parameters(), max_norm=0.1, norm_type=3)


def clip_value(model):
    weights = (parameter for parameter in model.parameters() if parameter.dim() > 1)
    clip_grad_value_(weights, 0.05)


def clip_value_by_foreach(model):
    nn.utils.clip_grad_value_(model.parameters(), clip_value=0.05, foreach=True)


def clip_twice(model):
    nn.utils.clip_grad_value_(model[0].weight, 0.05)
    nn.utils.clip_grad_norm_(model.parameters(), 0.1)


@pytest.mark.parametrize(
    "prepare",
    [
        lambda model: None,
        clip_norm,
        clip_loosely,
        clip_one_by_foreach,
        clip_by_the_largest,
        clip_by_cubes,
        clip_value,
        clip_value_by_foreach,
        clip_twice,
    ],
)
@pytest.mark.parametrize("passes", [1, 3])
def test_what_an_optimizer_used_is_what_backward_left_and_clipping_scaled(prepare, passes):
    _, report = trained(prepare, passes)
    assert report.ok and len(report.updates) == 4
    assert {row.gradient for row in report.updates} <= set(AGREED)
    assert {row.verdict for row in report.updates} <= set(AGREED)


def updates_of(prepare):
    """The update phase, line by line: (heading, formula, how it compares)."""
    trace = walk(trained(prepare)[0], title="")
    return [
        (group.title, step.formula, step.twin and step.twin.comparison.verdict in AGREED)
        for group in trace.groups
        for step in (trace.steps[index] for index in group.steps)
        if group.phase == "update"
    ]


def test_clipping_by_the_norm_is_walked_through_line_by_line():
    norms, norm, ratio, scale, clipped, updated, *rest = updates_of(clip_norm)
    assert norms[1] == "norms = stack([vector_norm(each, order) for each in grads])"
    assert norm == ("clip_grad_norm_", "norm = vector_norm(norms, order)", True)
    assert ratio[1] == "ratio = max_norm / (norm + 1e-06)"
    assert scale[1] == "scale = where(ratio > 1, 1, ratio)"
    assert clipped == ("clip_grad_norm_ 0.weight", 'clipped = scale·grad["0.weight"]', True)
    assert updated == ("SGD 0.weight", "0.weight = 0.weight − lr·clipped", True)
    assert [title for title, _, _ in rest[::2]] == [
        f"clip_grad_norm_ {name}" for name in ("0.bias", "2.weight", "2.bias")
    ]


def test_clipping_by_value_comes_before_the_norm_that_it_changes():
    clamped, norms, *_ = updates_of(clip_twice)
    assert clamped[:2] == (
        "clip_grad_value_ 0.weight",
        'clipped = clamp(grad["0.weight"], −limit, limit)',
    )
    assert norms[0] == "clip_grad_norm_"
    second = [line for line in updates_of(clip_twice) if line[0] == "clip_grad_norm_ 0.weight"]
    assert second == [("clip_grad_norm_ 0.weight", "clipped_2 = scale·clipped", True)]


def test_a_norm_of_the_programs_own_is_taken_as_it_is():
    ratio, scale, clipped, *_ = updates_of(clip_by_half_a_norm)
    assert [line[2] for line in (ratio, scale, clipped)] == [None, None, True]


def test_a_wrong_clipping_is_different(monkeypatch):
    monkeypatch.setattr(clipping, "scaled", lambda grad, scale: grad * scale * 2)
    found = [agrees for title, _, agrees in updates_of(clip_norm) if "norm_ " in title]
    assert found == [False] * 4


def test_clipping_after_the_step_explains_nothing():
    model = nn.Linear(2, 2)
    stepper = torch.optim.SGD(model.parameters(), lr=0.1)
    with bp.record(model) as tape:
        model(torch.ones(1, 2)).sum().backward()
        stepper.step()
        clip_grad_value_(model.parameters(), 0.01)
    assert {row.gradient for row in tape.check().updates} == {Verdict.EXACT}


def test_clipping_is_seen_to_scale():
    tape, _ = trained(clip_norm)
    cotangents = tape.backwards[0].cotangents
    assert all(u.grad.norm() < 0.9 * cotangents[u.value].norm() for u in tape.updates)


def double(model):
    model[0].weight.grad.mul_(2)


def clip_by_half_a_norm(model):
    norm = nn.utils.get_total_norm([p.grad for p in model.parameters()]) / 2
    nn.utils.clip_grads_with_norm_(model.parameters(), 0.01, norm)


@pytest.mark.parametrize(("prepare", "unexplained"), [(double, 1), (clip_by_half_a_norm, 4)])
def test_a_gradient_that_something_else_changed_is_said_to_be(prepare, unexplained):
    _, report = trained(prepare)
    found = [row for row in report.updates if row.gradient is Verdict.UNVERIFIED]
    assert len(found) == unexplained and "not what backward left" in str(report)
    assert {row.verdict for row in report.updates} <= set(AGREED)


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW])
def test_a_fused_optimizer_is_checked_too(optimizer):
    _, report = trained(clip_norm, optimizer=optimizer, fused=True)
    assert all(row.gradient in AGREED and row.verdict in AGREED for row in report.updates)


def test_a_wrong_update_fails_the_check(monkeypatch):
    monkeypatch.setitem(UPDATES, torch.optim.SGD, lambda param, grad, **_: param - grad)
    _, report = trained()
    assert not report.ok and report.to_dict()["updates"][0]["verdict"] == "different"


def test_without_a_rule_the_report_says_not_checked():
    _, report = trained(optimizer=torch.optim.Adagrad)
    assert report.ok and {row.verdict for row in report.updates} == {Verdict.UNCHECKED}
    assert "Adagrad has no rule" in str(report)
    assert report.to_dict()["updates"][0] == {
        "optimizer": "Adagrad",
        "name": "0.weight",
        "gradient": "exact",
        "verdict": "unchecked",
        "rho": 0.0,
    }
