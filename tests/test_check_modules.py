"""check() on torch's own recurrent modules, in every way that they are built."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

import backprop_tui as bp
from backprop_tui.report import AGREED

KINDS = {
    "LSTM": nn.LSTM,
    "GRU": nn.GRU,
    "RNN": nn.RNN,
    "RNN-relu": lambda *args, **options: nn.RNN(*args, nonlinearity="relu", **options),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("layers", "bidirectional", "batch_first", "bias"),
    list(itertools.product((1, 2), (False, True), (False, True), (True, False))),
)
def test_recurrent(kind, layers, bidirectional, batch_first, bias):
    module = KINDS[kind](
        3, 4, layers, bidirectional=bidirectional, batch_first=batch_first, bias=bias
    )
    verified(module, torch.randn(5, 2, 3).requires_grad_())


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_dropout_between_layers(kind, training):
    verified(KINDS[kind](3, 4, 3, dropout=0.5).train(training), torch.randn(5, 2, 3))


def test_an_lstm_with_a_projection():
    verified(nn.LSTM(3, 6, 2, proj_size=2), torch.randn(5, 2, 3))


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_of_ones_own(kind):
    state = torch.randn(1, 2, 4).requires_grad_()
    given = (state, torch.randn(1, 2, 4).requires_grad_()) if kind == "LSTM" else state
    verified(KINDS[kind](3, 4), torch.randn(5, 2, 3), given)


@pytest.mark.parametrize("kind", KINDS)
def test_sequences_of_several_lengths(kind):
    data = torch.randn(10, 3).requires_grad_()
    packed = nn.utils.rnn.PackedSequence(data, torch.tensor([3, 3, 2, 1, 1]))
    module = KINDS[kind](3, 4)
    check(module, lambda: module(packed)[0].data.square().sum().backward())


@pytest.mark.parametrize("kind", [nn.LSTMCell, nn.GRUCell, nn.RNNCell])
def test_cells(kind):
    cell, x = kind(3, 4), torch.randn(5, 2, 3)

    def step():
        state = None
        for row in x:
            state = cell(row, state)
        last = state[0] if isinstance(state, tuple) else state
        last.square().sum().backward()

    check(cell, step)


def verified(module, *arguments):
    def step():
        y, state = module(*arguments)
        kept = state if isinstance(state, tuple) else (state,)
        (y.square().sum() + sum(h.tanh().sum() for h in kept)).backward()

    check(module, step)


def check(module, step):
    """Every parameter is verified by rules alone, every op by itself."""
    with bp.record(module) as tape:
        step()
    report = tape.check()
    assert report.ok, f"\n{report}"
    assert report.coverage.missing == () and report.coverage.unseen == ()
    assert all(row.isolated in AGREED for row in report.ops), report.ops
    assert {row.name for row in report.parameters} >= {n for n, _ in module.named_parameters()}
