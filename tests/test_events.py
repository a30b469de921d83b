"""What the tape says besides ops: how optimizers, gradients and modules are handled."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from backprop_tui.recorder import record
from backprop_tui.stepper import Pace


def test_a_clip_is_noted_with_the_norm_that_it_found():
    model = nn.Linear(3, 1)
    with record(model) as tape:
        model(torch.ones(2, 3)).sum().backward()
        total = clip_grad_norm_(model.parameters(), 0.5)
    (clip,) = [event for event in tape.events if event.kind == "clip"]
    assert [tape.values[value].name for value in clip.values] == ["weight", "bias"]
    assert torch.equal(clip.tensor, total) and clip.backwards == 1
    assert model.weight.grad.norm() < 0.5


def test_an_optimizer_is_noted_where_it_is_made():
    model = nn.Linear(3, 1)
    with record(model) as tape:
        torch.optim.AdamW(model.parameters())
    (made,) = tape.events
    assert made.kind == "optimizer" and made.source.file == __file__ and len(made.values) == 2


def test_a_backward_that_raises_is_noted_with_its_root():
    x = torch.ones(3, requires_grad=True)
    with record() as tape, pytest.raises(RuntimeError, match="does not require grad"):
        x.sum().detach().backward()
    (raised,) = tape.events
    assert raised.kind == "backward" and raised.values == tape.ops[-1].results
    assert tape.backwards == ()


def test_a_value_with_an_older_graph_tells_which_op_made_it():
    x = torch.ones(3, requires_grad=True)
    with record() as before:
        y = x.exp()
        x.sin()
    with record() as after:
        y.sum()
    (value,) = [value for value in after.values if value.leaf]
    assert before.ops[0].sequence <= value.sequence < before.ops[1].sequence
    assert before.values[0].sequence == -1


class Hidden(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 3)
        self.rest = [nn.Linear(3, 3), nn.Linear(3, 3)]

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for layer in self.rest:
            x = layer(x)
        return x


def test_modules_that_no_model_has_as_its_own_are_named_by_what_holds_them():
    tapes = []
    with Pace(lambda number: True, lambda number, tape: tapes.append(tape)) as pace:
        Hidden()(torch.ones(2, 3)).sum().backward()
        pace.finish()
    found = tapes[0].unregistered
    assert list(found) == ["rest[0]", "rest[1]"]
    assert {(each.owner, each.attribute) for each in found.values()} == {("Hidden", "rest")}
    assert found["rest[0]"].source.line == Hidden.__init__.__code__.co_firstlineno + 3
    assert "rest[1].weight" in tapes[0].parameters
