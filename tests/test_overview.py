"""A whole tape as a Trace, and one of its ops line by line."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import backprop_tui as bp
from backprop_tui.compare import Verdict
from backprop_tui.errors import UserError
from backprop_tui.expand import expand
from backprop_tui.overview import Overview, TapeSession
from backprop_tui.report import AGREED
from backprop_tui.variables import tensor_names, variables

from .models import GPT


@pytest.fixture(scope="module")
def tape():
    torch.manual_seed(0)
    model, ids = GPT(), torch.randint(50, (2, 17))
    with bp.record(model) as tape:
        model.loss(ids).backward()
    return tape


def test_a_step_for_each_op_and_each_cotangent(tape):
    trace = Overview(tape, 0, "GPT", 1).judge()
    phases = [step.phase for step in trace.steps]
    assert phases == sorted(phases, key=["forward", "loss", "backward"].index)
    assert phases.count("forward") + phases.count("loss") == len(tape.ops)
    found = [step.twin for step in trace.steps if step.twin]
    assert len(found) > 70
    assert all(twin.comparison.verdict in AGREED for twin in found)
    labels = {twin.label for twin in found}
    assert 'grad["blocks.0.attention.qkv.weight"]' in labels
    groups = [group for group in trace.groups if group.phase == "backward"]
    assert all(group.isolated.verdict in AGREED for group in groups if group.call is not None)
    assert trace.loss == pytest.approx(float(tape.values[tape.backwards[0].roots[0]].tensor))


def test_values_are_called_by_the_users_own_variables(tape):
    names = set(variables(tape).values())
    assert {"y", "x", "out", "places"} <= names
    assert "logits" not in names  # what self(…) returns is not what its line's own op made
    made = {name: tape.ops[index].name for index, name in variables(tape).items()}
    assert made["x_2"] == "add"  # x = x + self.attention(self.norm1(x)), not the norm


def test_an_op_is_written_as_the_program_writes_it(tape):
    formulas = {step.formula for step in Overview(tape, 0, "GPT", 1).trace.steps}
    assert {"x1 = a1[:, :-1]", "places = arange(16, device=cpu)", "x = x3 + x4"} <= formulas


def test_into_an_op_line_by_line(tape):
    overview = Overview(tape, 0, "GPT", 1)
    overview.judge()
    group = next(
        g
        for g in reversed(overview.trace.groups)
        if g.op == "scaled_dot_product_attention" and g.phase == "backward"
    )
    inside = overview.into(group.call)
    formulas = [step.formula for step in inside.steps]
    assert any("softmax(" in formula for formula in formulas)
    assert inside.title == "GPT › blocks.0.attention scaled_dot_product_attention"
    backward = [step for step in inside.steps if step.phase == "backward" and step.twin]
    assert len(backward) == 3  # query, key, value
    assert all(step.twin.comparison.verdict in AGREED for step in backward)


def test_into_an_op_whose_inputs_are_called_as_its_rule_calls_its_own_lines():
    x, h, c = (torch.randn(1, 2, requires_grad=True) for _ in range(3))
    w_ih, w_hh = (torch.randn(8, 2, requires_grad=True) for _ in range(2))
    with bp.record() as tape:
        new_h, new_c = torch.lstm_cell(x, (h, c), w_ih, w_hh)
        (new_h + new_c).sum().backward()
    overview = Overview(tape, 0, "lstm", 1)
    inside = overview.into(0)
    assert inside is not None
    assert inside.loss == overview.trace.loss
    names = [given.name for given in inside.given] + [step.name for step in inside.steps]
    assert len(set(names)) == len(names)
    assert {"x", "x_2", "c", "c_2"} <= set(names)
    formulas = {step.name: step.formula for step in inside.steps}
    assert formulas["dnew_c"] == "dnew_c = seed"
    assert formulas["dc"].startswith("dc = dnew_c + dnew_h")
    found = {step.twin.label for step in inside.steps if step.twin and step.phase == "backward"}
    assert found == {"dL/dx", "dL/dh", "dL/dc", "dL/dw_ih", "dL/dw_hh"}


def test_an_op_without_a_rule_has_no_inside(tape):
    overview = Overview(tape, 0, "GPT", 1)
    call = next(g.call for g in overview.trace.groups if g.op == "arange")
    assert overview.into(call) is None


def test_a_rule_that_fails_is_said_to_where_it_was_needed():
    class Same(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, dy):
            return dy

    @bp.rule(Same, samples=lambda make: [bp.sample(make(3))])
    def same(x):
        def backward(dy):
            raise ValueError("no such luck")

        return x, backward

    with bp.record() as tape:
        Same.apply(torch.ones(3, requires_grad=True)).sum().backward()
    trace = Overview(tape, 0, "same", 1).judge()
    group = next(g for g in trace.groups if g.op == "Same" and g.phase == "backward")
    step = trace.steps[group.steps[0]]
    assert group.rule is None and group.isolated.verdict is not Verdict.EXACT
    assert "Its rule failed: same (test_overview.py:" in step.note and "no such luck" in step.note


def test_a_leaf_is_shown_as_the_pass_read_it():
    """Not as the tape first saw it, before it was initialised or trained."""
    with bp.record() as tape:
        weight = torch.full((2, 3), torch.nan).requires_grad_()
        with torch.no_grad():
            weight.fill_(2)
        optimizer = torch.optim.SGD([weight], lr=1.0)
        for _ in range(2):
            optimizer.zero_grad()
            (weight @ torch.ones(3)).sum().backward()
            optimizer.step()
    shown = [Overview(tape, number, "given", number + 1).trace.given[0] for number in range(2)]
    assert [given.label for given in shown] == ["weight", "weight"]
    assert [given.value.unique().tolist() for given in shown] == [[2.0], [1.0]]
    assert torch.equal(tensor_names(tape)["weight"], torch.ones(2, 3))


def test_what_only_looks_at_a_parameter_has_no_share_in_its_gradient():
    """Its initialisation, and a pass forward that is not differentiated."""
    with bp.record() as tape:
        layer = nn.Linear(3, 2)
        layer(torch.zeros(1, 3))
        layer(torch.ones(1, 3)).sum().backward()
    trace = Overview(tape, 0, "layer", 1).judge()
    twins = {step.formula: step.twin.value for step in trace.steps if step.twin}
    found = [grad for formula, grad in twins.items() if "linear′" in formula]
    assert all(map(torch.equal, found, (layer.weight.grad, layer.bias.grad))) and len(found) == 2


def test_the_update_is_a_phase_with_lines_inside():
    layer = nn.Linear(3, 2)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.1)
    with bp.record(layer) as tape:
        for _ in range(2):
            optimizer.zero_grad()
            layer(torch.ones(1, 3)).sum().backward()
            nn.utils.clip_grad_norm_(layer.parameters(), 0.5)
            optimizer.step()
    first, second = (Overview(tape, number, "layer", number + 1).judge() for number in range(2))
    for number, trace in enumerate((first, second)):
        steps = [step for step in trace.steps if step.phase == "update"]
        assert steps == list(trace.steps[-2:])
        assert steps[0].formula == 'weight = Adam(weight, clipped grad["weight"])'
        assert [step.twin.comparison.verdict in AGREED for step in steps] == [True, True]
        assert torch.equal(steps[1].twin.value, tape.updates[2 * number + 1].after)
        assert [trace.groups[step.group].update for step in steps] == [2 * number, 2 * number + 1]
    session = TapeSession.of(tape)
    trace = session.judge(2)
    inside = session.into(trace, trace.steps[-1].group)
    assert inside.title == "tape › Adam bias" and inside.steps[-1].twin.label == "torch"
    assert [given.label for given in inside.given] == ["bias", "step", "exp_avg", "exp_avg_sq"]
    labels = [step.label for step in inside.steps]
    assert labels[:4] == ["norms", "norm", "ratio", "scale"] and labels[-1] == "bias"
    assert all(step.twin.comparison.verdict in AGREED for step in inside.steps if step.twin)


def test_an_update_without_a_rule_is_not_checked_and_one_of_another_gradient_says_so():
    layer = nn.Linear(3, 2)
    known, unknown = (
        kind([parameter], lr=0.1)
        for kind, parameter in zip(
            (torch.optim.SGD, torch.optim.Rprop), layer.parameters(), strict=True
        )
    )
    with bp.record(layer) as tape:
        layer(torch.ones(1, 3)).sum().backward()
        layer.weight.grad.mul_(3)
        known.step()
        unknown.step()
    overview = Overview(tape, 0, "layer", 1)
    first, second = overview.judge().steps[-2:]
    assert "something changed it" in first.note and first.twin.comparison.verdict in AGREED
    assert second.twin is None and torch.equal(second.value, layer.bias.detach())
    assert overview.into_update(0) is not None and overview.into_update(1) is None


def test_several_backwards_are_several_iterations():
    model = nn.Linear(3, 1)
    with bp.record(model) as tape:
        for scale in (1.0, 2.0):
            (scale * model(torch.ones(2, 3)).sum()).backward()
    session = TapeSession.of(tape, "twice")
    assert session.iterations == 2
    assert session.trace(2).loss == pytest.approx(2 * session.trace(1).loss)
    with pytest.raises(IndexError, match="no step 3"):
        session.trace(3)


def test_judging_stops_where_it_is_told_to_and_goes_on_from_there(tape):
    overview, whole = Overview(tape, 0, "GPT", 1), Overview(tape, 0, "GPT", 1).judge()
    fresh = overview.trace
    assert {step.phase for step in fresh.steps} == {"forward", "loss"}
    assert fresh.pending == len(tape.ops)
    begun = overview.judge(lambda done, total: done < 20)
    assert begun.pending == len(tape.ops) - 20
    assert len(fresh.steps) < len(begun.steps) < len(whole.steps)
    for some, all_ in zip(begun.steps, whole.steps, strict=False):
        assert (some.formula, some.group) == (all_.formula, all_.group)
    ended = overview.judge()
    assert ended.pending == 0
    assert [s.formula for s in ended.steps] == [s.formula for s in whole.steps]
    verdicts = [step.twin and step.twin.comparison.verdict for step in whole.steps]
    assert [step.twin and step.twin.comparison.verdict for step in ended.steps] == verdicts


def test_what_several_ops_give_to_a_cotangent_adds_up(tape):
    trace = Overview(tape, 0, "GPT", 1).judge()
    by_name = {step.name: step.value for step in trace.steps}
    whole = [step for step in trace.steps if " + " in step.formula and step.phase == "backward"]
    assert len(whole) >= 4  # the residual stream
    for step in whole:
        shares = [by_name[name] for name in step.reads if "_via" in name]
        assert shares and all(share.shape == step.value.shape for share in shares)


def test_a_tape_without_backward_is_its_forward_pass():
    with bp.record() as tape:
        h = torch.ones(2) * 3
        torch.softmax(h, 0)
    session = TapeSession.of(tape)
    trace = session.judge(1)
    assert [s.formula for s in trace.steps] == ["x1 = ones(2)", "h = x1 ∘ 3", "x3 = softmax(h, 0)"]
    assert trace.pending == 0 and trace.worst() is Verdict.UNCHECKED
    assert "loss.backward()" in trace.warning
    inside = session.into(trace, trace.steps[2].group)
    assert [step.phase for step in inside.steps] == ["forward"] * len(inside.steps)


def test_a_tape_of_ten_thousand_ops_is_laid_out():
    x = torch.ones(3, requires_grad=True)
    with bp.record() as tape:
        y = x
        for _ in range(10_000):
            y = y * 1.0001
        y.sum().backward()
    trace = Overview(tape, 0, "long", 1).judge()
    assert len(trace.steps) == 2 * 10_001 + 1  # and dL/dL
    assert trace.steps[-1].label == "dx"


def test_nothing_to_show_is_said():
    with bp.record() as tape:
        pass
    with pytest.raises(UserError, match="no operation"):
        tape.show()


def test_the_infinity_of_a_mask_is_no_fault_and_that_of_a_logarithm_is():
    scores = torch.randn(3, 3, requires_grad=True)
    additive = torch.zeros(3, 3).index_fill(1, torch.tensor(2), -torch.inf)
    with bp.record() as tape:
        masked = scores.masked_fill(torch.ones(3, 3).triu(1) > 0, -torch.inf)
        joined = torch.cat([masked + additive])
        zeros = (scores - scores).log()
        joined.softmax(-1).square().sum().backward()
        del zeros
    trace = Overview(tape, 0, "masks", 1).trace
    found = {step.name: step.health for step in (*trace.given, *trace.steps) if step.health}
    assert {found[name] for name in ("masked", "joined")} == {"-inf"}
    assert found["zeros"] == "inf"
    inside = Overview(tape, 0, "masks", 1).into(
        next(o.index for o in tape.ops if o.name == "softmax")
    )
    assert inside is not None and not any(step.health in ("NaN", "inf") for step in inside.steps)


def test_inside_cat_and_split_every_part_is_a_step():
    a, b = torch.randn(2, 2, requires_grad=True), torch.randn(3, 2, requires_grad=True)
    with bp.record() as tape:
        left, right = torch.cat([a, b]).split((1, 4))
        (left * right).sum().backward()
    overview = Overview(tape, 0, "parts", 1)
    cat, split = (overview.into(op.index) for op in tape.ops[:2])
    assert cat is not None and split is not None
    ends = [step for step in cat.steps if step.twin and step.phase == "backward"]
    assert [step.value.shape for step in ends] == [a.shape, b.shape]
    assert all(step.twin.comparison.verdict is Verdict.EXACT for step in ends if step.twin)
    assert [str(expand(step.line, step.names, (0, 0))) for step in ends if step.line]
    forward = [step.formula for step in split.steps if step.phase == "forward"]
    assert [text[-3:] for text in forward] == ["[0]", "[1]"]
