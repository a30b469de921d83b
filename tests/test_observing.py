"""A user's program is sacred: observed or not, it computes the same bits."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import nullcontext

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.ao import quantization

import backprop_tui as bp
from benchmarks.models import Case, resnet18
from benchmarks.models import mlp as mlp_case
from benchmarks.models import next_token as language

from .models import GPT, ResNet

Loss = Callable[[nn.Module], Tensor]


def classify(model: nn.Module) -> Tensor:
    return F.cross_entropy(model(torch.randn(4, 3, 32, 32)), torch.randint(10, (4,)))


def next_token(model: nn.Module) -> Tensor:
    assert isinstance(model, GPT)
    return model.loss(torch.randint(50, (2, 17)))


def regress(model: nn.Module) -> Tensor:
    return F.mse_loss(model(torch.randn(6, 8)), torch.randn(6, 2))


def recurrent(model: nn.Module) -> Tensor:
    output, _ = model(torch.randn(5, 3, 4))
    loss: Tensor = output.square().mean()
    return loss


def mlp() -> nn.Module:
    layers = [nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(inplace=True), nn.Dropout(0.3)]
    return nn.Sequential(*layers, nn.Linear(16, 2))


MODELS: list[tuple[Callable[[], nn.Module], Loss]] = [
    (mlp, regress),
    (ResNet, classify),
    (GPT, next_token),
    (lambda: nn.LSTM(4, 6, 2, dropout=0.2, bidirectional=True), recurrent),
]


def trained(make: Callable[[], nn.Module], loss_of: Loss, observed: bool) -> list[Tensor]:
    """Everything that three steps leave behind."""
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)
    model = make()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    losses = []

    def step() -> None:
        optimizer.zero_grad()
        loss = loss_of(model)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.detach())

    for _ in range(3):
        if observed:
            with bp.record(model) as tape:
                step()
            tape.check()
        else:
            step()
    left = [*losses, *(p.detach() for p in model.parameters()), *model.buffers()]
    left += [p.grad for p in model.parameters() if p.grad is not None]
    return [
        *left,
        torch.get_rng_state(),
        torch.from_numpy(np.random.get_state(legacy=False)["state"]["key"]),
    ]


@pytest.mark.parametrize(("make", "loss_of"), MODELS)
def test_observed_or_not_the_bits_are_the_same(make, loss_of):
    plain, seen = trained(make, loss_of, False), trained(make, loss_of, True)
    assert len(plain) == len(seen)
    assert all(torch.equal(a, b) for a, b in zip(plain, seen, strict=True))


SMALL: dict[str, Callable[[], Case]] = {
    "MLP": lambda: mlp_case(16, 3, 8),
    "MLP with Adam": lambda: mlp_case(32, 8, 4),
    "GPT": lambda: Case(GPT(), language, (torch.randint(50, (2, 17)),)),
    "ResNet": lambda: resnet18(),
}


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("autocast", [False, True])
def test_the_measured_models_train_to_the_same_bits(name, autocast):
    def after(observed: bool) -> list[Tensor]:
        torch.manual_seed(0)
        case = SMALL[name]()
        kind = torch.optim.Adam if "Adam" in name else torch.optim.SGD
        stepper = kind(case.parameters(), lr=1e-2)
        for _ in range(2):
            with bp.record(case) if observed else nullcontext():
                stepper.zero_grad()
                with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
                    loss = case(*case.batch)
                loss.backward()
                stepper.step()
        grads = [p.grad for p in case.parameters() if p.grad is not None]
        return [*case.state_dict().values(), *grads, torch.get_rng_state()]

    assert all(torch.equal(a, b) for a, b in zip(after(True), after(False), strict=True))


def test_a_second_recording_inside_one_is_refused_and_the_first_goes_on():
    x = torch.ones(2, requires_grad=True)
    with bp.record() as tape:
        with pytest.raises(RuntimeError, match="running already"), bp.record():
            pass
        (x * 2).sum().backward()
    assert tape.check().ok
    with bp.record() as again:
        (x * 3).sum().backward()
    assert again.check().ok


def test_a_loss_that_is_no_scalar_is_torchs_own_error():
    x = torch.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="scalar"), bp.record():
        (x * 2).backward()


def test_a_compiled_module_is_recorded_eagerly():
    model = torch.compile(nn.Sequential(nn.Linear(3, 4), nn.ReLU()))
    with bp.record(model) as tape:
        model(torch.ones(2, 3)).sum().backward()
    assert [op.name for op in tape.ops][-3:] == ["linear", "relu", "sum"]
    assert tape.check().ok


def test_what_cannot_be_taped_is_reported_as_unseen():
    x = torch.randn(3, requires_grad=True)
    outside = (x * x).exp()
    with bp.record() as tape:
        (outside * 2).sum().backward()
    assert "ExpBackward0" in tape.check().coverage.unseen


def test_the_memory_of_what_was_recorded_can_be_resized():
    def trained() -> list[Tensor]:
        x, sums, buffer = torch.ones(3), torch.ones(2), torch.zeros(0)
        (x * sums.sum()).square().sum()
        torch.add(x, 1, out=sums.resize_(0))
        buffer.add(1)
        buffer.resize_(3).fill_(4)
        x.untyped_storage().resize_(0)
        x.untyped_storage().resize_(12)
        x.fill_(2)
        return [x, sums, buffer]

    plain = trained()
    with bp.record():
        observed = trained()
    assert all(map(torch.equal, plain, observed))


@pytest.mark.filterwarnings("ignore")  # what torch says of its own quantization
def test_training_that_is_aware_of_quantization_goes_on_as_it_does():
    def trained(recording) -> list[Tensor]:
        torch.manual_seed(0)
        layers = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 2)]
        model = nn.Sequential(quantization.QuantStub(), *layers)
        model.qconfig = quantization.get_default_qat_qconfig("fbgemm")
        model = quantization.prepare_qat(model)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        with recording:
            for _ in range(2):
                optimizer.zero_grad()
                model(torch.randn(2, 3, 4, 4)).square().sum().backward()
                optimizer.step()
        return list(model.state_dict().values())

    plain, observed = trained(nullcontext()), trained(bp.record())
    assert all(map(torch.equal, plain, observed))


def compared_with_zero(view):
    return view > 0


def printed_number(view):
    return view.sum(), view[0].item()


def taken_out(view):
    return view[0].item()


def read_without_grad(view):
    with torch.no_grad():
        return view.exp()


@pytest.mark.parametrize(
    "look", [compared_with_zero, printed_number, taken_out, read_without_grad, torch.argmax]
)
def test_a_view_is_made_anew_when_the_program_needs_it_and_no_earlier(look):
    """Else its node is older than others, and gradients add up in another order."""

    def train():
        torch.manual_seed(0)
        x = torch.randn(64, 3, requires_grad=True)
        y = x * 2
        view = y[:2].view(6)
        y.mul_(3)
        look(view)
        z = y.exp() * y.sin()
        (z.sum() + view.exp().sum() + (0.3 * view).sum()).backward()
        return x.grad, view.grad_fn._sequence_nr() - z.grad_fn._sequence_nr()

    plain, order = train()
    with bp.record() as tape:
        observed, same_order = train()
    assert torch.equal(plain, observed) and order == same_order
    assert tape.check().ok


@pytest.mark.filterwarnings("ignore:Sparse:UserWarning")
@pytest.mark.parametrize("form", [Tensor.to_sparse, Tensor.to_sparse_csr])
@pytest.mark.parametrize("learned", [False, True])
def test_sparse_tensors_are_no_obstacle(form, learned):
    """A graph's adjacency matrix, and one that is learned."""

    def trained() -> list[Tensor]:
        adjacency = form(torch.eye(4)).requires_grad_(learned)
        weight = torch.ones(3, 2, requires_grad=True)
        optimizer = torch.optim.SGD([weight], lr=0.1)
        for _ in range(2):
            (adjacency @ (torch.arange(12.0).view(4, 3) @ weight)).pow(2).mean().backward()
            optimizer.step()
        grads = [adjacency.grad.to_dense()] if learned else []
        return [weight.detach(), *grads]

    plain = trained()
    with bp.record() as tape:
        observed = trained()
    assert all(map(torch.equal, plain, observed))
    assert len(tape.check().steps) == 2
