"""Rules without the lines that their backward does not need give the same cotangents."""

from __future__ import annotations

import inspect

import pytest
import torch

from backprop_tui.lean import lean
from backprop_tui.rules import registry
from backprop_tui.rules.registry import Make
from backprop_tui.tape import tensors

RULES = {rule.name: rule for rule in registry.RULES.values()}


@pytest.mark.parametrize("name", sorted(RULES))
def test_the_cotangents_are_the_same(name):
    function = RULES[name].function
    for sample in RULES[name].samples(Make()):
        torch.manual_seed(0)
        output, _ = function(*sample.args, **sample.kwargs)
        dy = [torch.randn(y.shape).to(y.dtype) for y in tensors(output)]
        answers = []
        for each in (function, lean(function)):
            torch.manual_seed(1)
            _, backward = each(*sample.args, **sample.kwargs)
            answers.append([*tensors(backward(*dy)), *tensors(backward(*dy))])
        for full, sliced in zip(*answers, strict=True):
            assert torch.equal(full, sliced) or torch.equal(full.isnan(), sliced.isnan())


@pytest.mark.parametrize("name", ["linear", "conv", "matmul"])
def test_the_product_is_left_out(name):
    ones = list(RULES[name].samples(Make()))
    output, backward = lean(RULES[name].function)(*ones[0].args, **ones[0].kwargs)
    assert output is None and callable(backward)


def outer(scale):
    def rule(x):
        y = x * scale

        def backward(dy):
            return dy * scale

        return y, backward

    return rule


def in_place(x):
    total = x.clone()
    y = total.add_(1)
    kept = [y]
    kept[0] = y * 2

    def backward(dy):
        return dy * total

    return y, backward


def branches(x, flag=True):
    if flag:
        mask = x > 0
        y = x * mask
    else:
        mask = x < 0
        y = x / 0

    def backward(dy):
        return dy * mask

    return y, backward


def guarded(x):
    if x.dim() == 0:
        return in_place(x)
    y = x * x

    def backward(dy):
        return 2 * x * dy

    return y, backward


def handing(x, flag):
    if flag:
        return guarded(x)
    return branches(x)


def elsewhere(x):
    return x * x, lambda dy: 2 * x * dy


def test_what_cannot_be_sliced_is_left_as_it_is():
    made_by_a_program = eval("lambda x: (x, lambda dy: dy)")
    for rule in (outer(2), elsewhere, made_by_a_program):
        assert lean(rule) is rule


def test_a_write_in_place_is_kept():
    assert torch.equal(lean(in_place)(torch.ones(2))[1](torch.ones(2)), torch.full((2,), 2.0))


def test_another_rule_may_answer_early():
    assert lean(guarded)(torch.ones(2))[0] is None
    assert lean(guarded)(torch.ones(()))[1](torch.ones(())) == 2


def test_a_rule_that_hands_over_hands_over_to_a_lean_one():
    x = torch.tensor([1.0, -1.0])
    for flag in (True, False):
        output, backward = lean(handing)(x, flag)
        assert output is None
        assert torch.equal(backward(x), handing(x, flag)[1](x))


def test_branches_are_sliced_inside():
    x = torch.tensor([1.0, -1.0])
    for flag in (True, False):
        output, backward = lean(branches)(x, flag)
        assert output is None
        assert torch.equal(backward(x), branches(x, flag)[1](x))
    assert inspect.signature(lean(branches)) == inspect.signature(branches)


@pytest.mark.parametrize("name", sorted(RULES))
def test_a_cotangent_that_is_left_out_changes_no_other(name):
    function = RULES[name].function
    for sample in RULES[name].samples(Make()):
        torch.manual_seed(0)
        output, backward = function(*sample.args, **sample.kwargs)
        dy = [torch.randn(y.shape).to(y.dtype) for y in tensors(output)]
        answer = backward(*dy)
        for place, unwanted in enumerate(inspect.signature(function).parameters):
            torch.manual_seed(0)
            _, backward = lean(function, frozenset((unwanted,)))(*sample.args, **sample.kwargs)
            sliced = backward(*dy)
            if isinstance(answer, tuple):
                assert len(answer) == len(sliced)
                others = (
                    answer[:place] + answer[place + 1 :],
                    sliced[:place] + sliced[place + 1 :],
                )
                for mine, theirs in zip(*map(list, map(tensors, others)), strict=True):
                    assert torch.equal(mine, theirs) or torch.equal(mine.isnan(), theirs.isnan())


@pytest.mark.parametrize("name", ["linear", "conv", "matmul"])
def test_an_unwanted_cotangent_is_not_derived(name):
    function = RULES[name].function
    sample = next(iter(RULES[name].samples(Make())))
    first, *_ = inspect.signature(function).parameters
    output, _ = function(*sample.args, **sample.kwargs)
    _, backward = lean(function, frozenset((first,)))(*sample.args, **sample.kwargs)
    answer = backward(torch.ones_like(output))
    assert answer[0] is None and answer[1].shape == sample.args[1].shape
