"""Each private API of torch, alone: what the recorder takes for granted of it."""

from __future__ import annotations

import random
import warnings

import numpy as np
import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from backprop_tui import patches, private
from backprop_tui.private import guardless, snapshot, unchanged


class Seeing(TorchFunctionMode):
    """A mode that notes the names of what it sees."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.seen.append(func.__name__)
        return func(*args, **(kwargs or {}))


def test_a_snapshot_survives_writes_and_takes_foreign_memory():
    tensor = torch.arange(4.0)
    kept = snapshot(tensor)
    tensor.add_(1)
    assert kept.tolist() == [0.0, 1.0, 2.0, 3.0]
    array = np.arange(3.0)
    foreign = torch.from_numpy(array)
    kept = snapshot(foreign)
    array += 1
    assert kept.tolist() == [0.0, 1.0, 2.0]


def test_a_snapshot_holds_until_somebody_writes():
    tensor = torch.arange(6.0)
    kept = snapshot(tensor)
    assert unchanged(tensor, kept)
    assert not unchanged(tensor.view(2, 3), kept)
    tensor.mul_(2)
    assert not unchanged(tensor, kept) and kept.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


def test_what_was_shared_with_a_snapshot_can_be_resized():
    x, y = torch.ones(3), torch.ones(3)
    kept = [private.snapshot(tensor) for tensor in (x, y)]
    private.unshare(x)
    patches.resized(torch.UntypedStorage.resize_, y.untyped_storage(), 400)
    torch.add(torch.ones(30), 1, out=x.resize_(0))
    y[0] = 5
    assert x.tolist() == [2.0] * 30 and y.tolist() == [5.0, 1.0, 1.0]
    assert all(tensor.tolist() == [1.0] * 3 for tensor in kept)


def test_a_guardless_clone_computes_the_same():
    x = torch.randn(3, 4)
    assert torch.equal(guardless(F.softmax)(x, dim=1), x.softmax(1))


def test_no_mode_sees_what_is_unseen():
    with Seeing() as mode:
        with private.unseen():
            torch.ones(2).exp()
        torch.ones(2).sin()
    assert "sin" in mode.seen and "exp" not in mode.seen


def test_a_transform_knows_that_it_runs():
    inside = []
    torch.func.grad(lambda x: inside.append(private.transforming()) or x.sum())(torch.ones(2))
    assert inside == [True] and not private.transforming()


def test_autocast_is_known_to_be_on():
    assert not private.autocasting()
    with torch.autocast("cpu"):
        assert private.autocasting()
        with torch.autocast("cpu", enabled=False):
            assert not private.autocasting()


def test_the_next_node_has_the_number_that_was_told():
    x = torch.ones(2, requires_grad=True)
    told = private.next_sequence_number()
    assert private.sequence_number((x * 2).grad_fn) == told
    assert private.next_sequence_number() == told + 1


def test_modes_come_back_on_top_of_what_is_pushed():
    above, below = Seeing(), Seeing()
    with above, private.modes_without(None):
        torch.ones(2).exp()
        private.push(below)
    # `above` was popped by the exit of its own block, which leaves `below`.
    torch.ones(2).sin()
    torch._C._pop_torch_function_stack()
    assert "exp" not in above.seen and below.seen[-1] == "sin"


def test_what_is_apart_leaves_no_trace():
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    with Seeing() as mode, torch.no_grad(), torch.autocast("cpu"), warnings.catch_warnings():
        warnings.simplefilter("error")
        with private.apart():
            assert torch.is_grad_enabled() and not private.autocasting()
            random.random(), np.random.rand(), torch.rand(1)
            warnings.warn("unheard", stacklevel=1)
        assert not torch.is_grad_enabled() and private.autocasting()
    assert "rand" not in mode.seen
    assert states[0] == random.getstate()
    assert states[1] == np.random.get_state()[1].tolist()
    assert states[2] == torch.get_rng_state().tolist()
