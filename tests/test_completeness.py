"""What no op on the tape made is found, and nothing that came through it counts as verified."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import backprop_tui as bp
from backprop_tui.compare import Verdict
from backprop_tui.report import AGREED, Report


def in_a_thread(call: Callable[[], Any]) -> Any:
    """What `call` answers in a thread of its own, where autograd counts its nodes from 0."""
    found: list[Any] = []
    worker = threading.Thread(target=lambda: found.append(call()))
    worker.start()
    worker.join()
    return found[0]


def verdicts(report: Report) -> dict[str, Verdict]:
    return {row.name: row.verdict for row in report.parameters}


def names(layers: nn.Module, part: str) -> list[str]:
    return [name for name, _ in layers.named_parameters() if name.startswith(part)]


def model() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2))


FORWARDS: dict[str, Callable[[nn.Module], Callable[[Tensor], Tensor]]] = {
    "a thread": lambda layer: lambda x: in_a_thread(lambda: layer(x)),
    "TorchScript": lambda layer: torch.jit.trace(layer, torch.ones(3, 4)),
    "vmap": torch.vmap,
}


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
@pytest.mark.parametrize("forward", FORWARDS.values(), ids=FORWARDS)
def test_a_parameter_behind_what_is_unseen_has_a_row_and_is_not_verified(forward):
    layers = model()
    first = forward(layers[0])
    with bp.record(layers) as tape:
        layers[2](layers[1](first(torch.randn(3, 4)))).sum().backward()
    report = tape.check()
    found = verdicts(report)
    assert found["0.weight"] is found["0.bias"] is Verdict.UNVERIFIED
    assert found["2.weight"] is found["2.bias"] is Verdict.EXACT
    assert not report.ok and report.coverage.unseen
    assert "unseen by the recorder" in str(report) and "0.weight" in str(report)


def test_nodes_of_two_threads_are_told_apart_though_their_numbers_are_the_same():
    def recorded() -> Report:
        x = torch.ones(3, requires_grad=True)
        with bp.record() as tape:
            doubled = x * 2
            in_a_thread(doubled.exp).sum().backward()
        return tape.check()

    report = in_a_thread(recorded)
    assert report.coverage.unseen == ("ExpBackward0",)
    assert verdicts(report)["x"] is Verdict.UNVERIFIED


def test_the_gradient_of_a_gradient_raises_no_false_alarm():
    layers, x = model(), torch.randn(3, 4, requires_grad=True)
    with bp.record(layers) as tape:
        y = layers(x)
        (dx,) = torch.autograd.grad(y.sum(), x, create_graph=True)
        ((dx.norm(dim=1) - 1).square().mean() + y.mean()).backward()
    report = tape.check()
    second = {row.name: row.verdict for row in report.steps[1].parameters}
    assert second["0.weight"] is second["2.weight"] is Verdict.UNVERIFIED
    assert second["2.bias"] is Verdict.EXACT  # the penalty does not depend on it
    assert report.verdict is Verdict.UNVERIFIED
    assert Verdict.DIFFERENT not in {row.isolated for row in report.ops}


def test_what_cannot_be_run_a_second_time_raises_no_false_alarm():
    layers, x = nn.ModuleList([model(), model()]), torch.randn(3, 4, requires_grad=True)
    with bp.record(layers) as tape:
        inside = checkpoint(layers[0], x * 2, use_reentrant=True)
        (inside.sum() + layers[1](x).sum()).backward()
    report = tape.check()
    assert report.coverage.missing == ("CheckpointFunction",)
    assert report.verdict is Verdict.UNVERIFIED
    outer, inner = report.steps
    assert {row.name for row in outer.parameters} == {"x", *names(layers, "1")}
    assert {row.verdict for row in outer.parameters if row.name == "x"} == {Verdict.UNVERIFIED}
    # What the checkpoint does in its backward is a pass of its own, from what came in to it.
    assert {row.name for row in inner.parameters} > set(names(layers, "0"))
    assert all(row.verdict in AGREED for row in inner.parameters)


@pytest.mark.parametrize("first", [True, False])
def test_a_pass_inside_another_is_kept_apart_where_they_share_a_parameter(first):
    layer, x = nn.Linear(4, 4), torch.randn(3, 4, requires_grad=True)
    with bp.record(layer) as tape:
        if first:
            layer(checkpoint(layer, x, use_reentrant=True)).sum().backward()
        else:
            checkpoint(layer, layer(x), use_reentrant=True).sum().backward()
    assert Verdict.DIFFERENT not in verdicts(tape.check()).values()
