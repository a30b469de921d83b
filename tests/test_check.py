"""check() on real models: every parameter verified by rules alone, and faults found."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import backprop_tui as bp
from backprop_tui.compare import Verdict
from backprop_tui.judge import Judging
from backprop_tui.report import AGREED

from .models import GPT, ResNet

Z = torch.randn(2, 3, generator=torch.Generator().manual_seed(1))


def verified(report: bp.Report) -> None:
    assert report.ok, f"\n{report}"
    assert report.parameters
    assert all(row.verdict in AGREED for row in report.parameters)
    assert all(row.isolated in AGREED for row in report.ops), f"\n{report.ops}"
    assert report.coverage.missing == () and report.coverage.unseen == ()
    assert report.coverage.ruled == report.coverage.total == len(report.ops)


def checked(model: nn.Module, step: Callable[[], object]) -> bp.Report:
    with bp.record(model) as tape:
        step()
    return tape.check()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("training", [True, False])
def test_resnet(seed, training):
    torch.manual_seed(seed)
    model = ResNet().train(training)
    pictures, labels = torch.randn(4, 3, 32, 32), torch.randint(10, (4,))
    report = checked(model, lambda: F.cross_entropy(model(pictures), labels).backward())
    verified(report)
    assert len(report.parameters) == len(list(model.parameters()))
    assert {row.module for row in report.ops} >= {"stem.0", "blocks.1.shortcut.1", "head"}


@pytest.mark.parametrize("seed", range(3))
def test_gpt_with_dropout_and_tied_embeddings(seed):
    torch.manual_seed(seed)
    model, ids = GPT(), torch.randint(50, (2, 17))
    report = checked(model, lambda: model.loss(ids).backward())
    verified(report)
    assert "head.weight" not in {row.name for row in report.parameters}  # tied
    assert len(report.parameters) == len(list(model.parameters()))


@pytest.mark.parametrize("seed", range(3))
def test_gpt_under_autocast(seed):
    torch.manual_seed(seed)
    model, ids = GPT(), torch.randint(50, (2, 17))

    def step() -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = model.loss(ids)
        loss.backward()

    verified(checked(model, step))


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@pytest.mark.parametrize(
    "model",
    [
        nn.Transformer(8, 2, 1, 1, 16),
        nn.TransformerEncoderLayer(8, 2, 16, norm_first=True),
        nn.MultiheadAttention(8, 2),
    ],
    ids=lambda model: type(model).__name__,
)
def test_torchs_own_attention_modules(model):
    torch.manual_seed(0)
    s = torch.randn(5, 2, 8)
    arguments = {nn.Transformer: (s, s), nn.MultiheadAttention: (s, s, s)}.get(type(model), (s,))

    def step() -> None:
        output = model(*arguments)
        (output[0] if isinstance(output, tuple) else output).square().sum().backward()

    verified(checked(model, step))


def tiny() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1))


def lbfgs(model: nn.Module) -> None:
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=3)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss: Tensor = model(Z).square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)


def accumulate(model: nn.Module) -> None:
    for _ in range(2):
        (model(Z).square().sum() / 2).backward()


def by_grad(model: nn.Module) -> None:
    torch.autograd.grad(model(Z).sum(), list(model.parameters()))


def functional(model: nn.Module) -> None:
    doubled = {name: 2 * parameter for name, parameter in model.named_parameters()}
    torch.func.functional_call(model, doubled, (Z,)).sum().backward()


def checkpointed(model: nn.Module) -> None:
    x = Z.clone().requires_grad_()
    checkpoint(model, x, use_reentrant=False).sum().backward()


def detached(model: nn.Module) -> None:
    y = model(Z)
    with torch.no_grad():
        scale = y.abs().max()
    with torch.enable_grad():
        (y / scale + y.detach() * y).sum().backward()


@pytest.mark.parametrize(
    ("step", "steps"),
    [
        (lbfgs, 3),
        (accumulate, 2),
        (by_grad, 1),
        (functional, 1),
        (checkpointed, 1),
        (detached, 1),
    ],
)
def test_ways_to_train(step, steps):
    model = tiny()
    report = checked(model, lambda: step(model))
    verified(report)
    assert len(report.steps) == steps


def through_view(x: Tensor) -> Tensor:
    y = x * 2
    y[0].mul_(3)
    return y * y


def through_flat_view(x: Tensor) -> Tensor:
    y = x * 2
    flat = y.view(-1)
    flat.mul_(3)
    return flat.tanh() * y.view(-1)


def base_under_view(x: Tensor) -> Tensor:
    y = x * 2
    rows = y[1:]
    y.mul_(3)
    return rows * rows


def into_fresh(x: Tensor) -> Tensor:
    y = torch.zeros(4, 3)
    y[1:3] = x[1:3]
    y[0].add_(x[0])
    y.t()[2].mul_(x[:, 0])
    return y * y


def gated(x: Tensor) -> Tensor:
    y = 2 * x
    y[y > 1] = 0
    y.relu_()
    return y * x


@pytest.mark.parametrize(
    "write", [through_view, through_flat_view, base_under_view, into_fresh, gated]
)
def test_writes_in_place_and_through_views(write):
    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    with bp.record() as tape:
        write(x).sum().backward()
    report = tape.check()
    assert report.ok, f"\n{report}"
    assert Verdict.DIFFERENT not in {row.isolated for row in report.ops}
    assert report.coverage.unseen == ()


class Exp(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, dy):
        (y,) = ctx.saved_tensors
        return dy * y


class WrongByOneMillionth(Exp):
    @staticmethod
    def backward(ctx, dy):
        (y,) = ctx.saved_tensors
        return dy * y * (1 + 3e-6)


class CastsInside(Exp):
    @staticmethod
    def forward(ctx, x):
        y = x.float().exp()
        ctx.save_for_backward(y)
        return y.to(x.dtype)


@pytest.mark.parametrize(
    ("function", "verdict"),
    [
        (Exp, Verdict.ROUNDING),
        (WrongByOneMillionth, Verdict.DIFFERENT),
        (CastsInside, Verdict.ROUNDING),
    ],
)
def test_a_custom_function_is_judged_by_finite_differences(function, verdict):
    model = nn.Linear(3, 3)
    report = checked(model, lambda: function.apply(model(Z)).sum().backward())
    row = next(row for row in report.ops if row.op == function.__name__)
    assert row.rule is None and report.coverage.missing == (function.__name__,)
    assert row.isolated is verdict  # what a cast to float32 does inside is no evidence
    assert not report.ok  # without a rule nothing downstream is verified
    if verdict is Verdict.DIFFERENT:
        assert report.worst is row
        assert row.source.startswith(__file__)


class InSinglePrecision(Exp):
    @staticmethod
    def backward(ctx, dy):
        (y,) = ctx.saved_tensors
        given = torch.zeros(y.shape, dtype=torch.float32).add_(y)
        return given.index_add(0, torch.arange(len(y)), dy * y - y)


class InTheDefaultDtype(Exp):
    @staticmethod
    def backward(ctx, dy):
        (y,) = ctx.saved_tensors
        return torch.zeros(y.shape).index_add(0, torch.arange(len(y)), dy * y)


class OnTheKink(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        return dy * (x > 0)


def test_a_custom_function_that_refuses_float64_is_asked_in_its_own_dtype():
    model = nn.Linear(3, 3)
    report = checked(model, lambda: InSinglePrecision.apply(model(Z)).sum().backward())
    assert report.ops[-2].isolated is Verdict.UNVERIFIED
    assert {row.verdict for row in report.parameters} == {Verdict.UNVERIFIED}


def test_what_a_custom_function_makes_in_the_default_dtype_is_float64_when_it_is_asked():
    model = nn.Linear(3, 3)
    report = checked(model, lambda: InTheDefaultDtype.apply(model(Z)).sum().backward())
    assert report.ops[-2].isolated is Verdict.ROUNDING
    assert torch.get_default_dtype() is torch.float32


def test_a_custom_function_is_not_blamed_for_its_kinks():
    x = torch.tensor([0.0, 1.0, 0.0, -1.0]).requires_grad_()
    report = checked(nn.Linear(3, 3), lambda: OnTheKink.apply(x).sum().backward())
    assert report.ops[0].isolated is Verdict.ROUNDING


def test_a_reentrant_checkpoint_is_not_differentiated_again():
    model, x = nn.Linear(3, 3), Z.clone().requires_grad_()

    def step() -> None:
        checkpoint(model, x, use_reentrant=True).sum().backward()

    report = checked(model, step)
    before = model.weight.grad.clone()
    assert torch.equal(before, Z.sum(0).expand(3, 3))
    assert not report.ok


def test_a_users_own_rule():
    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, dy):
            (x,) = ctx.saved_tensors
            return dy * 3 * x**2

    @bp.rule(Cube, samples=lambda make: [bp.sample(make(3))])
    def cube(x):
        y = x * x * x

        def backward(dy):
            dx = 3 * x * x * dy
            return dx

        return y, backward

    model = nn.Linear(3, 3)
    report = checked(model, lambda: Cube.apply(model(Z)).sum().backward())
    verified(report)
    assert report.ops[1].rule == "cube"


class Square(torch.autograd.Function):
    """Of which each test declares a rule of its own, for a subclass."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        return dy * 2 * x


def squared_by(answer):
    """What the check says of a net with squares in it, whose rule gives `answer` back."""

    class Mine(Square):
        pass

    @bp.rule(Mine, samples=lambda make: [bp.sample(make(3))])
    def square(x):
        y = x * x

        def backward(dy):
            dx = answer(x, dy)
            return dx

        return y, backward

    model = nn.Linear(3, 3)
    return checked(model, lambda: Mine.apply(model(Z)).sum().backward())


def fails(*_):
    raise ValueError("no such luck")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (fails, "ValueError: no such luck"),
        (lambda x, dy: "dx", "answered a str where a tensor or None belongs"),
        (lambda x, dy: dy.sum(), "cotangent of shape () for an argument of shape (2, 3)"),
    ],
)
def test_a_rule_that_fails_is_no_rule_and_says_why(answer, said):
    report = squared_by(answer)
    row = report.ops[1]
    assert row.rule is None and row.isolated in (*AGREED, Verdict.UNVERIFIED)
    assert report.coverage.missing == ("Mine",) and report.coverage.ruled == 2
    assert said in row.failure and "square (test_check.py" in row.failure
    assert said in " ".join(str(report).split()) and not report.ok


def test_a_rule_that_gives_no_backward_is_no_rule_either():
    class Mine(Square):
        pass

    @bp.rule(Mine, samples=lambda make: [bp.sample(make(3))])
    def square(x):
        return x * x

    report = checked(
        nn.Linear(3, 3), lambda: Mine.apply(Z.clone().requires_grad_()).sum().backward()
    )
    assert "a rule returns (output, backward), not Tensor" in report.ops[0].failure


@pytest.mark.parametrize("answer", [lambda x, dy: None, lambda x, dy: torch.zeros_like(x)])
def test_a_rule_without_a_gradient_where_autograd_has_one_is_different(answer):
    report = squared_by(answer)
    verdicts = {row.op: row.isolated for row in report.ops}
    assert verdicts["Mine"] is Verdict.DIFFERENT and report.verdict is Verdict.DIFFERENT


def test_a_gradient_of_zeros_is_as_good_as_none():
    class Constant(Square):
        @staticmethod
        def backward(ctx, dy):
            return torch.zeros_like(dy)

    @bp.rule(Constant, samples=lambda make: [bp.sample(make(3))])
    def constant(x):
        y = x * x

        def backward(dy):
            return None

        return y, backward

    model = nn.Linear(3, 3)
    report = checked(model, lambda: (Constant.apply(model(Z)) + model(Z)).sum().backward())
    assert {row.isolated for row in report.ops} <= set(AGREED)
    assert report.ok


def test_a_hook_that_looks_changes_nothing():
    model, seen = tiny(), []

    def step() -> None:
        h = model[0](Z)
        h.register_hook(seen.append)
        model[0].weight.register_hook(seen.append)
        model[1](h).sum().backward()

    verified(checked(model, step))
    assert len(seen) == 2


def test_what_a_hook_replaced_is_unverified_and_blames_no_op():
    model = tiny()

    def step() -> None:
        h = model[0](Z)
        h.register_hook(lambda grad: grad * 2)
        model[0].bias.register_hook(lambda grad: grad.clamp(-1, 1))
        model[2](model[1](h)).sum().backward()

    report = checked(model, step)
    verdicts = {row.name: row.verdict for row in report.parameters}
    assert verdicts["2.weight"] in AGREED and verdicts["0.weight"] is Verdict.UNVERIFIED
    assert all(row.isolated in AGREED for row in report.ops), f"\n{report.ops}"


def test_a_hook_from_before_the_step_is_seen():
    model = tiny()
    model[0].weight.register_hook(lambda grad: grad / 2)
    report = checked(model, lambda: model(Z).sum().backward())
    verdicts = {row.name: row.verdict for row in report.parameters}
    assert verdicts.pop("0.weight") is Verdict.UNVERIFIED and set(verdicts.values()) <= set(AGREED)
    assert all(row.isolated in AGREED for row in report.ops), f"\n{report.ops}"


def declared(function: type, wrong: bool) -> None:
    @bp.rule(function, samples=lambda make: [bp.sample(make(3))])
    def exp(x):
        y = x.exp()

        def backward(dy):
            dx = dy * y
            if wrong:
                dx = dx * 2
            return dx

        return y, backward


@pytest.mark.parametrize(
    ("factor", "wrong_rule", "alone"),
    [(1, True, "our rule"), (2, False, "Scaled.backward"), (1, False, "")],
)
def test_of_three_witnesses_the_one_that_stands_alone_is_named(factor, wrong_rule, alone):
    class Scaled(Exp):
        @staticmethod
        def backward(ctx, dy):
            (y,) = ctx.saved_tensors
            return factor * dy * y

    declared(Scaled, wrong_rule)
    model = nn.Linear(3, 3)
    with bp.record(model) as tape:
        Scaled.apply(model(Z)).sum().backward()
    report = tape.check(numeric=True)
    assert report.ops[1].alone == alone
    assert report.ok == (alone == "")
    assert not alone or f"{alone} stands alone" in " ".join(str(report).split())


def test_a_value_read_by_several_ops_is_judged_op_by_op():
    """The cotangent of h is a sum; each op's own share is what its rule is compared with."""
    model = tiny()

    def step() -> None:
        h = model[0](Z)
        (h.tanh() * h.sigmoid() + h * h).sum().backward()

    verified(checked(model, step))


def test_the_report_prints_and_is_stable_json():
    model = tiny()
    report = checked(model, lambda: model(Z).sum().backward())
    text = str(report)
    assert "0.weight" in text and "4 of 4 ops" in text and "agree in 1 training step" in text
    assert list(report.to_dict()) == ["version", "steps", "updates", "verdict", "findings"]


def test_no_backward_is_said():
    with bp.record() as tape:
        torch.ones(2).sum()
    with pytest.raises(ValueError, match=r"loss\.backward\(\)"):
        tape.check()


def test_an_exception_of_the_users_passes_and_leaves_a_partial_tape():
    model, wrong = tiny(), torch.randn(2, 7)
    tape = bp.Tape()

    def step() -> None:
        nonlocal tape
        with bp.record(model) as tape:
            model[0](Z)
            model(wrong)

    with pytest.raises(RuntimeError, match="shapes"):
        step()
    assert [op.name for op in tape.ops] == ["linear"]


def test_a_sparse_gradient_is_compared_with_its_zeros():
    layer = nn.Embedding(5, 3, sparse=True)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    with bp.record(layer) as tape:
        layer(torch.tensor([0, 1, 1])).pow(2).sum().backward()
        optimizer.step()
    assert layer.weight.grad.is_sparse
    assert tape.check().ok


def test_a_check_can_be_stopped_while_it_settles_what_is_suspicious():
    model = nn.Linear(3, 2)
    with bp.record(model) as tape:
        model(Z).square().sum().backward()
    other = {value.index: value.tensor + 1 for value in tape.values if value.name == "weight"}
    judging = Judging(tape, tape.backwards[0], other)
    told: list[int] = []

    def progress(done: int) -> bool:
        told.append(done)
        return len(told) <= 3

    assert judging.run(progress) is False and told == [1, 2, 3, 3]
    assert judging.run() and judging.finished


def test_ragged_tensors_are_left_unverified():
    layer = nn.Linear(3, 2)
    parts = [torch.ones(2, 3), torch.ones(4, 3)]
    with bp.record(layer) as tape:
        ragged = torch.nested.nested_tensor(parts, layout=torch.jagged)
        (layer(ragged).values().sum() + layer(parts[0]).sum()).backward()
    report = tape.check()
    assert report.verdict is Verdict.UNVERIFIED
    assert [row.isolated for row in report.ops][:1] == [Verdict.UNVERIFIED]
    assert report.ops[-1].isolated in AGREED
