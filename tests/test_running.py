"""A program that stops and goes on, without a screen: the answers are given by a list."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from backprop_tui.errors import UserError
from backprop_tui.running import Answer, Ended, Running, Stop
from backprop_tui.spots import Spot
from backprop_tui.stops import Stops, Until


def train(steps=6, poison=0):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for number in range(1, steps + 1):
        x = torch.ones(2, 3)
        if number == poison:
            x[0, 0] = float("nan")
        hidden = model[1](model[0](x))
        loss = model[2](hidden).pow(2).mean() + 0.1 * number
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def stops_of(*answers, stops=None, program=train, **options) -> list[Stop]:
    """Where a program stops when it is answered so; after the last answer it finishes."""
    seen: list[Stop] = []

    def show(stop: Stop) -> Answer:
        seen.append(stop)
        return answers[len(seen) - 1] if len(seen) <= len(answers) else Answer.FINISH

    with Running(show, stops or Stops(), **options) as running:
        program()
        running.finish()
    assert torch._C._len_torch_function_stack() == 0
    return seen


def numbers(stops):
    return [stop.number for stop in stops]


def test_it_stops_at_the_first_step_and_goes_on_as_told():
    assert numbers(stops_of()) == [1]
    assert numbers(stops_of(Answer.NEXT, Answer.NEXT)) == [1, 2, 3]
    assert numbers(stops_of(Answer.CONTINUE)) == [1]
    first = stops_of()[0]
    assert first.why == "step 1" and len(first.tape.updates) == 4 and not first.partial


@pytest.mark.parametrize(
    ("stops", "expected"),
    [
        (Stops(step=4), [4]),
        (Stops(every=2), [2, 4, 6]),
        (Stops(until=[Until("step == 3")]), [3]),
        (Stops(until=[Until("loss > 2*median")]), []),
        (Stops(until=[Until('norm(grad["0.weight"]) > 0')], first=5), [5, 6]),
        (Stops(until=[Until("hidden.sum() >= 0 and not_yet_bound")]), []),
        (Stops(spots=[Spot("relu")], last=2), [1, 2]),
        (Stops(spots=[Spot("2")], first=6), [6]),
        (Stops(spots=[Spot("test_running.py:1")]), []),
    ],
)
def test_what_makes_it_stop(stops, expected):
    assert numbers(stops_of(*[Answer.CONTINUE] * 6, stops=stops)) == expected


def test_a_breakpoint_on_a_line_shows_its_op():
    with Running(lambda stop: Answer.FINISH, Stops(step=1)) as running:
        train(1)
        running.finish()
    line = train.__code__.co_firstlineno + 8
    (stop, *_) = stops_of(Answer.FINISH, stops=Stops(spots=[Spot(f"test_running.py:{line}")]))
    assert stop.op is not None and stop.op.name == "linear"


@pytest.mark.parametrize("word", ["nan", "finding"])
def test_it_stops_where_a_nan_is_born(word):
    stops = Stops(until=[Until("nan")])
    (stop, *_) = stops_of(stops=stops, program=lambda: train(poison=3))
    assert (stop.number == 3 and stop.why == "nan in __setitem__") or "nan" in stop.why


class Wrong(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    def backward(ctx, dy):
        return 3 * dy


def test_it_stops_at_a_wrong_derivative():
    def program():
        x = torch.ones(3, requires_grad=True)
        for number in range(4):
            (Wrong.apply(x) if number == 2 else 2 * x).sum().backward()

    (stop,) = stops_of(stops=Stops(until=[Until("different")]), program=program)
    assert stop.number == 3 and "Wrong" in stop.why


def test_right_after_backward():
    (stop,) = stops_of(stops=Stops(step=2), at_backward=True)
    assert stop.number == 2 and stop.partial and not stop.tape.updates and stop.tape.backwards


def test_the_program_can_be_ended():
    with pytest.raises(Ended):
        stops_of(Answer.END)
    assert torch._C._len_torch_function_stack() == 0


def test_a_program_that_raises_is_shown_as_far_as_it_came():
    seen = []

    def show(stop):
        seen.append(stop)
        return Answer.CONTINUE

    def program():
        x = torch.ones(3, requires_grad=True)
        (x * 2).sum().backward()
        (x * 3) @ torch.ones(4)

    with Running(show, Stops(step=9)) as running, pytest.raises(RuntimeError) as raised:
        program()
    assert not running.fail(raised.value)
    with Running(show) as running:
        with pytest.raises(RuntimeError) as raised:
            program()
        assert running.fail(raised.value)
    assert seen[-1].error is raised.value and seen[-1].tape.ops[0].name == "mul"


def test_an_exception_before_any_op_is_explained_without_a_tape():
    with Running(lambda stop: Answer.CONTINUE) as running:
        with pytest.raises(RuntimeError) as raised:
            torch.ones(3, dtype=torch.int64, requires_grad=True)
        assert not running.fail(raised.value)
    (found,) = running.explain(raised.value)
    assert found.kind == "integer-parameter" and found.source.file == __file__


def test_a_stopped_program_computes_the_same_bits():
    expected = train()
    found = []
    stops_of(*[Answer.NEXT] * 3, program=lambda: found.append(train()))
    assert torch.equal(found[0], expected)


def test_conditions_that_are_none():
    with pytest.raises(UserError, match="neither one of nan, inf, different, finding"):
        Until("loss >")
    with pytest.raises(UserError, match="ZeroDivisionError"):
        stops_of(stops=Stops(until=[Until("1 / 0")]))


def test_a_breakpoint_in_the_program_shows_the_step_as_if_it_were_differentiated():
    import backprop_tui as bp

    def program():
        w = torch.ones(3, requires_grad=True)
        for _ in range(2):
            loss = (w * w).sum()
            bp.breakpoint(loss)
            loss.backward()
        assert w.grad is not None and w.grad.tolist() == [4.0] * 3

    seen = stops_of(Answer.CONTINUE, Answer.CONTINUE, stops=Stops(step=9, first=1), program=program)
    assert seen == []  # neither step was recorded
    seen = stops_of(*[Answer.CONTINUE] * 4, program=program)
    assert [(stop.number, stop.why) for stop in seen] == [(1, "breakpoint"), (2, "breakpoint")]
    assert all(len(stop.tape.backwards) == 1 for stop in seen)


def test_what_watches_is_known_only_as_long_as_it_does():
    assert Running.current is None
    with Running(lambda stop: Answer.FINISH) as running:
        assert Running.current is running
    assert Running.current is None
