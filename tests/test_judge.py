"""Rounding that came in with a cotangent is told from an error, with no second chain."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

import backprop_tui as bp
from backprop_tui import judge
from backprop_tui.compare import ROUNDING, Verdict, bound
from backprop_tui.report import AGREED
from backprop_tui.tape import Tape


@pytest.fixture
def tape() -> Tape:
    """Many layers, through which rounding grows far beyond that of one, and a way past them."""
    torch.manual_seed(0)
    layers = [
        part
        for _ in range(12)
        for part in (nn.Linear(64, 64, bias=False), nn.BatchNorm1d(64), nn.GELU())
    ]
    model, x = nn.Sequential(*layers), torch.randn(32, 64, requires_grad=True)
    with bp.record(model) as tape:
        (model(x) + x).square().mean().backward()
    return tape


def test_what_came_in_needs_no_chain_in_float64(tape, monkeypatch):
    (backward,) = tape.backwards
    monkeypatch.setattr(judge, "widen", None)
    found = judge.judge(tape, backward)
    far = [
        value
        for value, mine in found.derivation.cotangents.items()
        if bound(mine, backward.cotangents[value]) > ROUNDING
    ]
    assert far and all(found.chained[value].verdict in AGREED for value in far)


@pytest.mark.parametrize("layer", [1, 6, 11])
def test_an_error_stays_one_in_all_that_it_came_into(tape, layer):
    """From one layer's input on autograd is 1 % off, and every op before does right with that."""
    (backward,) = tape.backwards
    linears = [op for op in tape.ops if op.name == "linear"]
    op, x = linears[layer], tape.ops[0].inputs[0]
    wrong = {op.inputs[0], *(value for each in tape.ops[: op.index] for value in each.inputs)}
    spoilt = {
        value: grad * 1.01 if value in wrong else grad
        for value, grad in backward.cotangents.items()
    }
    parts = {**backward.contributions, (0, x): backward.contributions[0, x] * 1.01}
    spoilt[x] = sum(part for (_, value), part in parts.items() if value == x)
    passed = replace(backward, cotangents=spoilt, contributions=parts)
    found = judge.judge(tape, passed)
    assert [i for i, verdict in found.isolated.items() if verdict not in AGREED] == [op.index]
    for value, standing in found.chained.items():
        assert (standing.verdict is Verdict.DIFFERENT) == (value in wrong), value


def test_a_part_that_is_not_in_the_sum_is_missed(tape):
    """Each op is right alone, and what autograd made of their parts is not."""
    (backward,) = tape.backwards
    x = tape.ops[0].inputs[0]
    (part, *others) = (grad for (_, value), grad in backward.contributions.items() if value == x)
    assert others
    found = judge.judge(tape, replace(backward, cotangents={**backward.cotangents, x: part}))
    assert set(found.isolated.values()) <= set(AGREED)
    different = {v for v, each in found.chained.items() if each.verdict is Verdict.DIFFERENT}
    assert different == {x}
