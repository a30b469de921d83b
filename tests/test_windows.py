"""Views, and writes through them: every op alone and the chain agree, whatever shares memory."""

from __future__ import annotations

import random

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import backprop_tui as bp
from backprop_tui.compare import Verdict
from backprop_tui.report import AGREED

linear = nn.Linear(4, 4)
conv = nn.Conv2d(3, 4, 1)


# What nothing is derived from, or autograd has no node for, is not compared.
UNDOUBTED = {*AGREED, Verdict.UNCHECKED}


def verified(report):
    assert report.ok, f"\n{report}"
    assert report.coverage.missing == () and report.coverage.unseen == ()
    verdicts = {verdict for row in report.ops for verdict in (row.isolated, row.chained)}
    assert verdicts <= UNDOUBTED, report.ops


def residual(x):
    """A linear layer of three dimensions answers with a view of a matrix that nobody else has."""
    y = linear(x)
    y += x
    return y


def part_of_a_layer(x):
    y = linear(x)
    y[0].mul_(2)
    return y


def heads_of_a_layer(x):
    y = linear(x)
    heads = y.view(2, 3, 2, 2).permute(0, 2, 1, 3)
    heads /= 3
    return y * y


def read_before_and_after(x):
    y = linear(x)
    first = y[0]
    before = y + 1
    y[1:].mul_(2)
    return before + y + first


def product(x):
    scores = torch.einsum("...qhd,...khd->...hqk", x[:, None, :, None], x[:, None, :, None])
    scores += x.sum()
    return scores


def asked_in_place(x):
    h = x * 2
    F.leaky_relu(h.view(-1), 0.5, inplace=True)
    g = x * 3
    F.dropout(g[0], 0.5, True, True)
    return h + g


def channels_last(x):
    y = conv(x.reshape(1, 3, 2, 4).to(memory_format=torch.channels_last))
    y[:, 0].mul_(2)
    return y


def masked_where_it_is_read(x):
    scores = (x * 2).transpose(1, 2)
    corner = scores[:, :2]
    scores[:, :2] = torch.full_like(corner, -1.0).where(corner > 0, corner)
    return scores


def overlapping(x):
    h = x * 2
    wide = h[:, :1].expand(2, 5, 4)
    h.mul_(3)
    return wide * wide


def pieces_of_what_others_read(x):
    h = x * 2
    a, b = h.split(2, -1)
    return torch.cat([a * b, h.sin()], -1)


@pytest.mark.parametrize(
    "program",
    [
        residual,
        part_of_a_layer,
        heads_of_a_layer,
        read_before_and_after,
        product,
        asked_in_place,
        channels_last,
        masked_where_it_is_read,
        overlapping,
        pieces_of_what_others_read,
    ],
)
def test_shared_memory(program):
    x = torch.randn(2, 3, 4).requires_grad_()
    leaves = [x, *linear.parameters(), *conv.parameters()]
    for leaf in leaves:
        leaf.grad = None
    with bp.record() as tape:
        program(x).square().sum().backward()
    report = tape.check()
    verified(report)
    assert len(report.parameters) == sum(leaf.grad is not None for leaf in leaves)
    alone = [row.op for row in report.ops if row.isolated is Verdict.UNCHECKED]
    assert alone in ([], ["write_through"])  # of an output into the memory that it views


VIEWS = (
    lambda t: t[-1] if t.dim() else t,
    lambda t: t.transpose(0, -1) if t.dim() > 1 else t,
    lambda t: t.flatten(),
    lambda t: t[..., ::2] if t.dim() else t,
    lambda t: t.unsqueeze(0),
)
WRITES = (
    lambda t, x: t.mul_(1.5),
    lambda t, x: t.add_(x.mean()),
    lambda t, x: t.copy_(x.sum().expand(t.shape) / 3),
    lambda t, x: t.__setitem__(..., x.mean()),
    lambda t, x: F.leaky_relu(t, 0.3, True),
    lambda t, x: t.masked_fill_(x.mean() > 0, 0.5),
    lambda t, x: t.zero_(),
)
STARTS = (
    lambda x: linear(x),
    lambda x: 2 * x,
    lambda x: torch.einsum("bij,kj->bik", x, linear.weight),
    lambda x: x.new_zeros(2, 3, 4),
)


def weighted(t):
    return (t * torch.linspace(0, 1, t.numel()).view(t.shape)).sum()


def random_program(seed, x):
    """Views of views, writes into any of them, and reads in between."""
    draw = random.Random(seed)
    tensors = [draw.choice(STARTS)(x)]
    terms = []
    for _ in range(draw.randrange(2, 9)):
        chosen = draw.choice(tensors)
        match draw.randrange(4):
            case 0 | 1:
                tensors.append(draw.choice(VIEWS)(chosen))
            case 2:
                draw.choice(WRITES)(chosen, x)
            case 3:
                terms.append(weighted(chosen))
    return torch.stack([*terms, *map(weighted, tensors)]).sum()


def test_random_programs():
    ran = 0
    for seed in range(120):
        x = torch.randn(2, 3, 4).requires_grad_()
        try:
            random_program(seed, x).backward()
        except RuntimeError:  # a write into what autograd has saved
            continue
        unobserved, x.grad = x.grad, None
        with bp.record() as tape:
            random_program(seed, x).backward()
        assert torch.equal(x.grad, unobserved), seed
        verified(tape.check())
        ran += 1
    assert ran > 60


def test_a_layer_that_is_cast_on_its_way():
    """`Module.to` keeps the parameter, and gives it memory and a gradient edge of another dtype."""
    layer = nn.Linear(3, 3).double()
    x = torch.randn(2, 3)
    with bp.record(layer) as tape:
        layer.to(torch.float32)(x).square().sum().backward()
    report = tape.check()
    verified(report)
    assert {row.name for row in report.parameters} == {"weight", "bias"}
