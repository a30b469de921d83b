"""A recording that goes wrong: the user's own error, a partial tape, and nothing left behind."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules import module as modules
from torch.optim import optimizer as optimizers
from torch.utils.checkpoint import checkpoint

import backprop_tui as bp
from backprop_tui.recorder import Recorder


class Stop(BaseException):
    """What no except clause expects."""


def ones() -> Tensor:
    return torch.ones(3, requires_grad=True)


def model_raises() -> None:
    nn.Linear(3, 2)(torch.ones(5))


def forward_raises() -> None:
    class Broken(nn.Module):
        def forward(self, x):
            raise Stop

    nn.Sequential(nn.Identity(), Broken())(ones() * 2)


def no_scalar() -> None:
    (ones() * 2).backward()


def freed_graph() -> None:
    loss = (ones() * 2).exp().sum()
    loss.backward()
    loss.backward()


def no_graph() -> None:
    torch.ones(3).sum().backward()


def interrupted() -> None:
    (ones() * 2).sum()
    raise KeyboardInterrupt


class Raises(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, dy):
        raise Stop


def backward_raises() -> None:
    Raises.apply(ones()).sum().backward()


def hook_raises() -> None:
    def hook(grad):
        raise Stop

    y = ones() * 2
    y.register_hook(hook)
    y.sum().backward()


def step_raises() -> None:
    class Broken(torch.optim.SGD):
        def step(self, closure=None):
            raise Stop

    x = ones()
    (x * 2).sum().backward()
    Broken([x], lr=0.1).step()


def nested() -> None:
    with bp.record():
        pass


FAULTS = [
    model_raises,
    forward_raises,
    no_scalar,
    freed_graph,
    no_graph,
    interrupted,
    backward_raises,
    hook_raises,
    step_raises,
    nested,
]


def left_behind() -> list[Any]:
    """All of torch that a recording hooks or patches."""
    owner: Any = torch.autograd.function._SingleLevelFunction
    return [
        *(dict(getattr(modules, name)) for name in vars(modules) if name.startswith("_global_f")),
        dict(optimizers._global_optimizer_pre_hooks),
        dict(optimizers._global_optimizer_post_hooks),
        torch.optim.Optimizer.zero_grad,
        torch.optim.Optimizer.__init__,
        nn.Module.zero_grad,
        "apply" in vars(owner),
        torch.nn.utils.clip_grad._clip_grads_with_norm_,
        vars(torch.autograd)["_engine_run_backward"],
        torch._C._len_torch_function_stack(),
        torch.is_grad_enabled(),
        Recorder._running,
    ]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_the_error_is_the_users_own_and_nothing_stays_hooked(fault):
    before = left_behind()
    with pytest.raises(BaseException) as caught, bp.record() as tape:  # noqa: PT011
        fault()
    assert left_behind() == before
    assert caught.value.__context__ is None and caught.value.__cause__ is None
    assert fault.__name__ in {frame.name for frame in traceback.extract_tb(caught.tb)}
    assert all(op.results for op in tape.ops)  # what there is can be read
    with bp.record() as again:
        (ones() * 2).sum().backward()
    assert again.check().ok


def test_a_recording_that_cannot_begin_leaves_nothing_behind(monkeypatch):
    def refuse(self):
        raise MemoryError

    before = left_behind()
    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "_hooks", refuse)
        with pytest.raises(MemoryError):
            bp.record().__enter__()
    assert left_behind() == before
    with bp.record() as tape:
        (ones() * 2).sum().backward()
    assert tape.check().ok


@pytest.mark.parametrize("fault", [model_raises, no_scalar, no_graph, interrupted])
def test_a_tape_without_a_backward_says_so(fault):
    with pytest.raises(BaseException), bp.record() as tape:  # noqa: B017, PT011
        fault()
    with pytest.raises(ValueError, match=r"loss\.backward\(\)"):
        tape.check()


def test_a_tape_that_is_not_over_says_when_to_check_it():
    with bp.record() as tape:
        (ones() * 2).sum().backward()
        with pytest.raises(ValueError, match="check when it is over"):
            tape.check()
    assert tape.check().ok


@pytest.mark.parametrize("stage", ["forward", "backward"])
def test_an_error_inside_a_checkpoints_backward_leaves_nothing_behind(stage):
    runs = []

    def exp(x: Tensor) -> Tensor:
        runs.append(x)
        if len(runs) == 2 and stage == "forward":
            raise Stop
        return Raises.apply(x) if stage == "backward" else x.exp()

    before = left_behind()
    with pytest.raises(Stop), bp.record():
        checkpoint(exp, ones(), use_reentrant=True).sum().backward()
    assert left_behind() == before


def test_the_pass_before_a_freed_graph_is_verified():
    with pytest.raises(RuntimeError, match="second time"), bp.record() as tape:
        freed_graph()
    assert len(tape.backwards) == 1 and tape.check().ok


def test_the_frames_of_the_users_are_as_without_a_recording():
    def frames(record: bool) -> list[str]:
        try:
            if record:
                with bp.record():
                    backward_raises()
            else:
                backward_raises()
        except Stop as error:
            found = traceback.extract_tb(error.__traceback__)
            return [frame.name for frame in found if frame.filename == __file__]
        raise AssertionError

    assert frames(True) == frames(False)


def test_what_another_thread_computes_is_unseen_where_it_is_used():
    x, found = ones(), []
    with bp.record() as tape:
        worker = threading.Thread(target=lambda: found.append(x.exp()))
        worker.start()
        worker.join()
        found[0].sum().backward()
    assert [op.name for op in tape.ops] == ["sum"]
    assert "ExpBackward0" in tape.check().coverage.unseen


def test_a_second_recording_in_another_thread_is_refused():
    errors: list[BaseException] = []

    def other() -> None:
        try:
            nested()
        except RuntimeError as error:
            errors.append(error)

    with bp.record() as tape:
        worker = threading.Thread(target=other)
        worker.start()
        worker.join()
        (ones() * 2).sum().backward()
    assert "running already" in str(errors[0]) and tape.check().ok


def test_a_generator_that_goes_on_inside_a_recording_is_recorded_there():
    def batches() -> Iterator[Tensor]:
        while True:
            yield ones() * 2

    made = batches()
    next(made)
    with bp.record() as tape:
        next(made).sum().backward()
    assert [op.name for op in tape.ops] == ["ones", "mul", "sum"][-len(tape.ops) :]
    assert tape.check().ok


@pytest.mark.parametrize(
    "transformed",
    [
        lambda x: torch.vmap(lambda row: row.exp().sum())(x),
        lambda x: torch.func.grad(lambda x: x.exp().sum())(x),
        lambda x: torch.func.jvp(lambda x: x.exp(), (x,), (torch.ones_like(x),))[1],
    ],
)
def test_a_transform_of_functions_runs_as_it_does_and_is_reported_as_unseen(transformed):
    x = torch.randn(4, 3, requires_grad=True)
    with bp.record() as tape:
        transformed(x).sum().backward()
    assert {op.name for op in tape.ops} <= {"ones_like", "sum"}
    assert any("Exp" in name for name in tape.check().coverage.unseen), tape.backwards[0].unseen
    plain = x.detach().clone().requires_grad_()
    transformed(plain).sum().backward()
    assert torch.equal(x.grad, plain.grad)


def test_a_batch_of_backward_passes_runs_as_it_does_and_is_not_recorded():
    x = torch.randn(3, requires_grad=True)
    with bp.record() as tape:
        many = torch.autograd.functional.jacobian(torch.exp, x, vectorize=True)
        x.exp().sum().backward()
    assert torch.equal(many, torch.diag(x.detach().exp()))
    assert len(tape.backwards) == 1 and tape.check().ok


def test_what_a_hook_replaced_is_known_around_a_checkpoint():
    x = ones()
    with bp.record() as tape:
        y = x * 2
        z = checkpoint(torch.exp, y, use_reentrant=True) * 3
        z.register_hook(lambda grad: grad * 2)
        z.sum().backward()
    assert [len(backward.replaced) for backward in tape.backwards] == [1, 0]


def test_a_double_backward_is_recorded_and_said():
    x = ones()
    with bp.record() as tape:
        (dx,) = torch.autograd.grad((x**3).sum(), x, create_graph=True)
        dx.square().sum().backward()
    assert [backward.creates_graph for backward in tape.backwards] == [True, False]
    assert tape.check().coverage.unseen  # the graph of the first pass is no op of the program's
