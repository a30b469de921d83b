"""Headings, folds and searches over a trace, without a screen."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

import backprop_tui as bp
from backprop_tui.lessons.two_layer import Options, TwoLayer
from backprop_tui.overview import TapeSession
from backprop_tui.steps import Group, Step, Trace
from backprop_tui.ui.find import find
from backprop_tui.ui.tree import Sight, Tree

from ..models import GPT


@pytest.fixture(scope="module")
def trace() -> Trace:
    torch.manual_seed(0)
    model, ids = GPT(), torch.randint(50, (2, 17))
    with bp.record(model) as tape:
        model.loss(ids).backward()
    return TapeSession.of(tape).judge(1)


def test_every_step_stands_once_under_its_headings(trace: Trace) -> None:
    tree = Tree(trace)
    nodes = [tree.node(line) for line in range(len(tree))]
    assert [node.line for node in nodes] == list(range(len(tree)))
    assert [node for node in nodes if node.key] == tree.headings
    assert [node.first for node in nodes if not node.key] == list(range(len(trace.steps)))
    for step in trace.steps:
        line, above = tree.of_step(step.index), []
        assert nodes[line].first == step.index and not nodes[line].key
        while (line := nodes[line].parent) >= 0:
            above.append(nodes[line])
        assert all(node.line < tree.of_step(step.index) < node.end for node in above)
        assert above[-1].title == step.phase
        expected = [heading.title for heading in trace.groups[step.group].headings]
        assert [node.title for node in reversed(above[:-1])] == expected
        assert all(node.first <= step.index <= node.last for node in above)


def test_keys_of_headings_are_told_apart(trace: Trace) -> None:
    keys = [node.key for node in Tree(trace).headings if node.depth]
    assert len(keys) == len(set(keys)) > 50


def test_folding_and_unfolding_is_what_seeing_it_anew_would_be(trace: Trace) -> None:
    tree = Tree(trace)
    folded: set[str] = set()
    sight = Sight(tree, tree.unfolded(folded))
    for position in (40, 30, 9, 30, 9, 40):
        if sight.node(position).key:
            folded ^= {sight.node(position).key}
            sight.fold(position, folded)
        assert sight.lines == tree.unfolded(folded)


def test_a_folded_step_is_found_at_the_heading_that_hides_it(trace: Trace) -> None:
    tree = Tree(trace)
    inside = next(s for s in trace.steps if s.layer == "blocks.1.mlp.0")
    sight = Sight(tree, tree.unfolded({"forward:blocks.1", "forward:blocks.1.mlp"}))
    assert sight.node(sight.of_step(inside.index)).title == "1 Block"


def test_in_the_lesson_an_op_is_a_heading_where_it_is_a_module() -> None:
    tree = Tree(TwoLayer(Options()).trace(1))
    titles = [node.title for node in tree.headings]
    assert titles[:3] == ["forward", "0 Linear 3→4", "1 ReLU"]
    assert not tree.deep


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ("gelu", lambda s, g: g.op == "gelu"),
        ("blocks.1.norm1", lambda s, g: s.layer == "blocks.1.norm1"),
        ("GELU blocks.0", lambda s, g: g.op == "gelu" and s.layer.startswith("blocks.0")),
        ("zero", lambda s, g: s.health == "zero"),
        ("nan", lambda s, g: s.health == "NaN"),
        ("", lambda s, g: True),
    ],
)
def test_words_find(trace: Trace, query: str, fits: Callable[[Step, Group], bool]) -> None:
    wanted = [s.index for s in trace.steps if fits(s, trace.groups[s.group])]
    assert find(trace, query) == wanted


def test_a_verdict_finds_what_it_was_given_to(trace: Trace) -> None:
    found = find(trace, "rounding")
    twins = [s.index for s in trace.steps if s.twin and s.twin.comparison.verdict == "rounding"]
    assert set(twins) <= set(found) < {s.index for s in trace.steps}
    assert find(trace, "rounding layer_norm") == [
        step for step in found if trace.groups[trace.steps[step].group].op == "layer_norm"
    ]


def test_found_steps_are_shown_with_their_headings(trace: Trace) -> None:
    tree = Tree(trace)
    lines = tree.under_headings(find(trace, "blocks.1.norm1"))
    assert lines == sorted(set(lines))
    titles = [tree.node(line).title for line in lines if tree.node(line).key]
    assert titles[:4] == ["forward", "blocks Sequential", "1 Block", "norm1 LayerNorm"]
