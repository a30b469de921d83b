"""Declaring a rule: what the decorator refuses, and how calls find their rule."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

import backprop_tui.rules  # noqa: F401  (registers the rules)
from backprop_tui import record
from backprop_tui.rules.registry import RULES, find, rule, sample, spellings


def some_samples(make):
    yield sample(make(2))


def test_a_rule_needs_a_target_and_a_sample():
    with pytest.raises(ValueError, match="at least one torch function"):
        rule(samples=some_samples)(lambda input: None)
    with pytest.raises(ValueError, match="sample"):
        rule(torch.isnan, samples=lambda make: [])(lambda input: None)


def test_a_function_has_one_rule():
    def again(input):
        return input, None

    again.__module__ = "backprop_tui.rules.activations"
    with pytest.raises(ValueError, match="already has the rule relu"):
        rule(F.relu, samples=some_samples)(again)


def test_a_readers_own_derivation_takes_the_place_of_ours(monkeypatch):
    monkeypatch.setattr("backprop_tui.rules.registry.RULES", {**RULES})

    def declared(factor):
        @rule(torch.sigmoid, samples=some_samples)
        def mine(input):
            y = 1 / (1 + torch.exp(-input))

            def backward(dy):
                return factor * dy * y * (1 - y)

            return y, backward

    for factor, right in ((1, True), (2, False)):
        declared(factor)
        with record() as tape:
            torch.sigmoid(torch.linspace(-3, 3, 9).requires_grad_()).sum().backward()
        assert tape.check().ok is right


def test_what_cannot_be_called_is_told():
    with pytest.raises(TypeError, match="targets are functions"):
        rule("sigmoid", samples=some_samples)(lambda input: None)
    with pytest.raises(TypeError, match="samples is a function: lambda make:"):
        rule(torch.sigmoid, samples=[(torch.ones(2),)])(lambda input: None)


def test_a_misspelled_name_is_an_error():
    with pytest.raises(ValueError, match="no function named expp"):
        spellings("expp")


def test_numpys_spellings_reach_the_rules_own_names():
    assert find(torch.sum).keywords({"axis": 0, "keepdims": True}) == {"dim": 0, "keepdim": True}


class Seen(TorchFunctionMode):
    def __init__(self):
        super().__init__()
        self.functions = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.functions.append(func)
        return func(*args, **(kwargs or {}))


CALLS = {
    "x + 1": "add",
    "1 + x": "add",
    "x - 1": "sub",
    "1 - x": "rsub",
    "2 * x": "mul",
    "x / 2": "div",
    "2 / x": "rdiv",
    "x ** 2": "pow",
    "2 ** x": "rpow",
    "-x": "neg",
    "abs(x)": "abs",
    "x @ x": "matmul",
    "x.T": "T",
    "x.mT": "mT",
    "x.H": "H",
    "x[0]": "getitem",
    "x.split(2)": "split",
    "torch.split(x, 2)": "split",
    "x.softmax(0)": "softmax",
    "torch.softmax(x, 0)": "softmax",
    "F.softmax(x, 0)": "softmax",
    "F.log_softmax(x, 0)": "log_softmax",
    "torch.relu(x)": "relu",
    "F.relu(x, inplace=True)": "relu",
    "x.view(16)": "view",
    "x.view((2, 8))": "view",
    "x.float()": "float",
    "F.sigmoid(x)": "sigmoid",
}


@pytest.mark.parametrize("call", CALLS)
def test_every_way_to_write_an_op_finds_its_rule(call):
    x = torch.rand(4, 4)
    with Seen() as seen:
        eval(call, {"x": x, "torch": torch, "F": F})
    assert find(seen.functions[0]).name == CALLS[call]


def test_in_place_operators_find_their_rules():
    x = torch.rand(4, 4)
    with Seen() as seen:
        x += 1
        x -= 1
        x *= 2
        x /= 2
        x **= 2
        x[0] = 1
    names = [find(function).name for function in seen.functions]
    assert names == ["add", "sub", "mul", "div", "pow", "setitem"]
    assert find(Tensor.copy_).name == "copy_"
