"""Navigation over a trace, as numbers: where each key lands."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from backprop_tui.compare import Comparison, Verdict
from backprop_tui.steps import Given, Group, Step, Trace, Twin
from backprop_tui.ui import cursor, kin, standing

# phase, group, layer of each step: two layers, a loss, back through the two, an update.
STEPS = [
    ("forward", 0, "fc1"),
    ("forward", 0, "fc1"),
    ("forward", 1, "fc2"),
    ("loss", 2, ""),
    ("backward", 3, ""),
    ("backward", 4, "fc2"),
    ("backward", 4, "fc2"),
    ("backward", 5, "fc1"),
    ("update", 6, "fc1"),
]


def comparison(verdict: Verdict) -> Comparison:
    return Comparison(verdict, 0.0, 0.0, 0.0, 0.0, (), 0)


def make(
    values: dict[int, float] | None = None,
    verdicts: dict[int, Verdict] | None = None,
    alone: dict[int, Verdict] | None = None,
    names: tuple[str, ...] = (),
    reads: dict[int, tuple[str, ...]] | None = None,
) -> Trace:
    """A trace of STEPS, each value 1 unless given, with twins where there are verdicts."""
    values, verdicts, alone, reads = values or {}, verdicts or {}, alone or {}, reads or {}
    steps = tuple(
        Step(
            index=at,
            phase=phase,
            group=group,
            layer=layer,
            name=names[at] if names else f"v{at}",
            label=f"v{at}",
            value=torch.tensor(values.get(at, 1.0)),
            formula="",
            algebra="",
            reads=reads.get(at, ()),
            twin=Twin(f"t{at}", "", torch.tensor(1.0), comparison(verdicts[at]))
            if at in verdicts
            else None,
        )
        for at, (phase, group, layer) in enumerate(STEPS)
    )
    groups = tuple(
        Group(
            index=group,
            phase=next(s.phase for s in steps if s.group == group),
            layer="",
            title=f"op {group}",
            op="",
            rule=None,
            source=None,
            node="",
            isolated=comparison(alone[group]) if group in alone else None,
            steps=tuple(s.index for s in steps if s.group == group),
        )
        for group in range(7)
    )
    given = (Given("x", "x", "", torch.ones(1), "forward"),)
    return Trace("net", 1, given, groups, steps, 1.0, {}, (), 4)


@pytest.mark.parametrize(
    ("kind", "at", "forward", "back"),
    [
        (cursor.op_of, 0, 2, None),
        (cursor.op_of, 1, 2, 0),
        (cursor.op_of, 2, 3, 0),
        (cursor.op_of, 6, 7, 5),
        (cursor.op_of, 8, None, 7),
        (cursor.layer_of, 0, 2, None),
        (cursor.layer_of, 4, 5, 3),
        # In backward the next layer is the one that stood before it in forward.
        (cursor.layer_of, 5, 7, 4),
        (cursor.layer_of, 7, 8, 5),
        (cursor.phase_of, 0, 3, None),
        (cursor.phase_of, 6, 8, 4),
    ],
)
def test_next_and_previous(kind: Any, at: int, forward: int | None, back: int | None) -> None:
    trace = make()
    assert cursor.after(trace, at, kind) == forward
    assert cursor.before(trace, at, kind) == back


@pytest.mark.parametrize(("at", "end"), [(0, 2), (2, 3), (3, 7), (5, 7), (7, 8), (8, None)])
def test_run_to_the_end_of_the_phase(at: int, end: int | None) -> None:
    assert cursor.phase_end(make(), at) == end


def test_phase_progress_counts_within_the_phase() -> None:
    assert cursor.phase_progress(make(), 5) == ("backward", 2, 4)


def test_faults_are_values_that_are_not_finite_and_verdicts_that_differ() -> None:
    trace = make({2: float("inf"), 3: float("nan")}, {5: Verdict.DIFFERENT, 6: Verdict.ROUNDING})
    assert standing.first_fault(trace) == (2, "inf in v2")
    assert standing.first_fault(make({3: float("nan")})) == (3, "NaN in v3")
    assert standing.first_fault(make(verdicts={5: Verdict.DIFFERENT})) == (5, "v5 ≠ t5")
    assert standing.first_fault(make(verdicts={6: Verdict.ROUNDING})) is None


def test_a_fault_is_looked_for_no_further_than_one_asks() -> None:
    trace = make({4: float("inf")})
    assert standing.first_fault(trace, 3) is None
    assert standing.faults(trace).seen == 4
    assert standing.first_fault(trace, 4) == (4, "inf in v4")
    assert standing.first_fault(trace, 3) is None


def test_who_does_not_wait_is_told_of_the_faults_that_are_known() -> None:
    trace = make({4: float("inf")})
    assert standing.fault_so_far(trace, 3) is None
    assert standing.faults(trace).seen == 4
    assert not standing.look_on(trace)
    assert standing.fault_so_far(trace, 8) == (4, "inf in v4")
    healthy = make()
    assert not standing.look_on(healthy)
    assert standing.faults(healthy).seen == len(STEPS)


def test_an_op_that_differs_alone_is_a_fault_at_its_last_step() -> None:
    trace = make(alone={4: Verdict.DIFFERENT})
    assert standing.first_fault(trace) == (6, "op 4 differs from autograd")


def test_the_tally_counts_only_what_is_computed_and_ends_with_the_worst() -> None:
    trace = make(verdicts={2: Verdict.ROUNDING, 5: Verdict.EXACT, 6: Verdict.EXACT})
    assert list(standing.tally(trace, 5).items()) == [(Verdict.EXACT, 1), (Verdict.ROUNDING, 1)]
    assert standing.tally(trace, 6) == {Verdict.EXACT: 2, Verdict.ROUNDING: 1}


def test_the_worst_verdict_of_a_stretch_counts_ops_that_end_there() -> None:
    trace = make(verdicts={2: Verdict.ROUNDING, 6: Verdict.EXACT}, alone={4: Verdict.AMBER})
    assert standing.worst(trace, 0, 8) is Verdict.AMBER
    assert standing.worst(trace, 0, 5) is Verdict.ROUNDING
    assert standing.worst(trace, 7, 8) is None


@pytest.mark.parametrize(
    ("at", "direction", "stop"), [(0, 1, 5), (5, 1, None), (8, -1, 5), (5, -1, None), (4, 1, 5)]
)
def test_a_breakpoint_stops_at_the_first_step_of_its_op(
    at: int, direction: int, stop: int | None
) -> None:
    assert cursor.next_stop(make(), at, direction, {4}, lambda step: False) == stop


def test_a_condition_stops_where_it_holds() -> None:
    assert cursor.next_stop(make(), 0, 1, (), lambda step: step in (3, 7)) == 3
    assert cursor.next_stop(make(), 8, -1, (), lambda step: step in (3, 7)) == 7


# The first `re` is the error of the loss, the second its slope.
NAMES = ("x1", "x2", "x4", "re", "re", "res", "rex4", "rex2", "P0")


def test_operands_are_the_last_binding_of_each_name() -> None:
    trace = make(
        verdicts={7: Verdict.EXACT},
        names=NAMES,
        reads={4: ("re",), 6: ("re", "x4", "x"), 8: ("t7",)},
    )
    assert kin.operands(trace, 6) == {"step:4", "step:2", "given:x"}
    assert kin.operands(trace, 4) == {"step:3"}
    assert kin.operands(trace, 8) == {"twin:7"}
    assert kin.operands(trace, 0) == set()


def test_children_end_where_the_name_is_bound_anew() -> None:
    trace = make(names=NAMES, reads={4: ("re",), 6: ("re", "x4"), 7: ("re",)})
    assert kin.children(trace, "step:3") == [4]
    assert kin.children(trace, "step:4") == [6, 7]
    assert kin.children(trace, "step:8") == []


def test_names_mean_the_same_whether_all_are_known_or_not() -> None:
    reads = {4: ("re",), 6: ("re", "x4", "x")}
    fresh, known = make(names=NAMES, reads=reads), make(names=NAMES, reads=reads)
    kin.bind_all(known)
    for step in (6, 4):
        assert kin.operands(fresh, step) == kin.operands(known, step) != set()


def test_parents_are_each_named_once_in_the_order_they_are_read() -> None:
    trace = make(
        verdicts={7: Verdict.EXACT},
        names=NAMES,
        reads={6: ("re", "x4", "re", "x"), 8: ("t7",)},
    )
    assert kin.parents(trace, "step:6") == ["step:4", "step:2", "given:x"]
    assert kin.parents(trace, "step:8") == ["twin:7"]
    assert kin.parents(trace, "twin:7") == kin.parents(trace, "given:x") == []
    assert kin.children(trace, "twin:7") == [8]
    assert kin.children(trace, "given:x") == [6]
