"""The recorder: what it sees, and that watching changes nothing."""

from __future__ import annotations

import gc
from contextlib import suppress

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.modules import module as module_hooks

from backprop_tui.recorder import record


def small() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))


def test_ops_are_the_public_calls_with_module_and_source():
    model, x, y = small(), torch.randn(5, 3), torch.zeros(5, 2)
    with record(model) as tape:
        loss = F.mse_loss(model(x), y)
        loss.backward()
    assert [(op.name, op.module) for op in tape.ops] == [
        ("linear", "0"),
        ("relu", "1"),
        ("linear", "2"),
        ("mse_loss", ""),
    ]
    assert {op.source.file for op in tape.ops if op.source} == {__file__}
    assert tape.ops[0].source.function == "test_ops_are_the_public_calls_with_module_and_source"
    assert tape.values[tape.ops[0].inputs[1]].name == "0.weight"
    assert tape.ops[1].inputs == tape.ops[0].results


def test_cotangents_are_autograds_own():
    model, x = small(), torch.randn(5, 3)
    with record(model) as tape:
        hidden = model[1](model[0](x))
        hidden.retain_grad()
        model[2](hidden).sum().backward()
    named = {tape.values[i].name: grad for i, grad in tape.backwards[0].cotangents.items()}
    for name, parameter in model.named_parameters():
        assert torch.equal(named[name], parameter.grad)
    assert torch.equal(tape.backwards[0].cotangents[tape.ops[1].results[0]], hidden.grad)


def test_values_are_kept_as_they_were():
    x = torch.ones(3, requires_grad=True)
    with record() as tape:
        y = x * 2
        z = y.sum()
        y.detach().zero_()
        z.backward()
    assert tape.ops[0].outputs[0].tolist() == [2.0, 2.0, 2.0]


def test_updates_hold_before_and_after():
    model, x = small(), torch.randn(5, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    before = model[0].weight.detach().clone()
    with record(model) as tape:
        model(x).sum().backward()
        optimizer.step()
    update = tape.updates[0]
    assert update.name == "0.weight" and update.options["lr"] == 0.1
    assert torch.equal(update.before, before)
    assert torch.equal(update.after, model[0].weight)
    assert [op.name for op in tape.ops] == ["linear", "relu", "linear", "sum"]


def test_watching_changes_no_bit():
    def trained(watched: bool) -> list[torch.Tensor]:
        model = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.5), nn.Tanh(), nn.Linear(8, 2))
        torch.manual_seed(1)
        for parameter in model.parameters():
            nn.init.normal_(parameter)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        for _ in range(5):
            if watched:
                with record(model):
                    step(model, optimizer)
            else:
                step(model, optimizer)
        return [*(p.detach() for p in model.parameters()), torch.get_rng_state()]

    def step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        optimizer.zero_grad()
        model(torch.randn(4, 3)).square().sum().backward()
        optimizer.step()

    for plain, seen in zip(trained(False), trained(True), strict=True):
        assert torch.equal(plain, seen)


def test_every_hook_is_gone_after_an_exception():
    hooks = (module_hooks._global_forward_hooks, module_hooks._global_forward_pre_hooks)
    before = [len(each) for each in hooks]
    model = small()
    with pytest.raises(RuntimeError, match="shapes"), record(model):
        model(torch.randn(5, 7))
    assert [len(each) for each in hooks] == before
    x = torch.ones(2, requires_grad=True)
    (x * 2).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_python_composites_are_looked_into():
    x = torch.randn(2, 4, 8, requires_grad=True)
    attention = nn.MultiheadAttention(8, 2, batch_first=True)
    with record(attention) as tape:
        attention(x, x, x)[0].sum().backward()
    names = [op.name for op in tape.ops]
    assert "linear" in names and "multi_head_attention_forward" not in names


def test_a_constant_that_changes_between_two_reads():
    x, scale = torch.ones(3), torch.full((3,), 2.0)
    with record() as tape:
        y = x * scale
        scale.fill_(5.0)
        y * scale
    read = [op.args[1].tolist() for op in tape.ops if op.name == "mul"]
    assert read == [[2.0] * 3, [5.0] * 3]


def test_a_leaf_that_is_made_while_recording_is_a_leaf():
    with record() as tape:
        w = torch.ones(3, requires_grad=True)
        (w * 2).sum().backward()
    (leaf,) = [value for value in tape.values if value.leaf and value.requires_grad]
    assert leaf.variable == "w" and [op.name for op in tape.ops] == ["mul", "sum"]


def test_a_row_of_a_parameter_is_written_to_under_no_grad():
    with record():
        embedding = nn.Embedding(4, 3, padding_idx=0)  # zeroes its row 0 that way
    assert not embedding.weight[0].any()


def test_the_eps_that_rms_norm_takes_from_its_dtype_is_kept():
    with record() as tape:
        F.rms_norm(torch.ones(2, 3), (3,))
        F.rms_norm(torch.ones(2, 3), (3,), None, 1e-3)
        F.rms_norm(torch.ones(2, 3, dtype=torch.float64), (3,), None, None)
        nn.RMSNorm(3)(torch.ones(2, 3))
    ops = [op for op in tape.ops if op.name == "rms_norm"]
    eps = [op.args[3] if len(op.args) > 3 else op.kwargs["eps"] for op in ops]
    single, double = torch.finfo(torch.float32).eps, torch.finfo(torch.float64).eps
    assert eps == [single, 1e-3, double, single]


def test_garbage_is_seldom_looked_for_while_a_tape_grows():
    before = gc.get_threshold()
    with suppress(ZeroDivisionError), record():
        assert gc.isenabled() and gc.get_threshold()[0] > before[0]
        raise ZeroDivisionError
    assert gc.get_threshold() == before


def test_what_the_program_says_of_garbage_stays():
    before = gc.get_threshold()
    try:
        with record():
            gc.disable()
            gc.set_threshold(123, 4, 5)
        assert not gc.isenabled() and gc.get_threshold() == (123, 4, 5)
    finally:
        gc.enable()
        gc.set_threshold(*before)


def test_a_parameter_that_takes_the_place_of_another_in_the_middle_of_a_step():
    model = nn.Linear(2, 1, bias=False)
    with record(model) as tape:
        model(torch.ones(3, 2)).sum().backward()
        model.weight = nn.Parameter(model.weight.detach() - 0.1 * model.weight.grad)
        model(torch.ones(3, 2)).sum().backward()
    assert len(tape.backwards) == 2
    first = next(value for value in tape.values if value.requires_grad and value.leaf)
    assert first.name == "weight"
