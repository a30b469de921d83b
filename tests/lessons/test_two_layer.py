"""The first lesson against the article's algebra, written out once more."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from backprop_tui.compare import Verdict, same_bits
from backprop_tui.lessons.two_layer import Options, TwoLayer
from backprop_tui.steps import Trace

AGREED = {Verdict.EXACT, Verdict.ROUNDING}


def by_hand(trace: Trace) -> dict[str, torch.Tensor]:
    """The article's matrix algebra on what the lesson starts from."""
    given = {item.name: item.value for item in trace.given}
    x, y, P0, P1, P2, P3 = (given[name] for name in ("x", "y", "P0", "P1", "P2", "P3"))
    x1 = x @ P0.T
    x2 = x1 + P1
    x3 = (x2 > 0).to(x2.dtype)
    x4 = x3 * x2
    x5 = x4 @ P2.T
    x6 = x5 + P3
    re = 2 * (x6 - y)
    rex2 = (re @ P2) * x3
    return {
        "x1": x1,
        "x2": x2,
        "x3": x3.bool(),
        "x4": x4,
        "x5": x5,
        "x6": x6,
        "re": re,
        "res": re.sum(0),
        "rex4": re.T @ x4,
        "rex2": rex2,
        "regx2": rex2.T @ x,
        "sum_rex2": rex2.sum(0),
    }


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("seed", range(50))
def test_every_name_of_the_article_holds_bit_for_bit(seed, dtype):
    trace = TwoLayer(Options(seed=seed, dtype=dtype)).trace(1)
    names = trace.namespace(len(trace.steps) - 5)  # before the update rebinds P0..P3
    for name, value in by_hand(trace).items():
        assert torch.equal(names[name], value), name
    pgrad = names["pgrad"]
    for gradient, name in zip(pgrad, ("regx2", "sum_rex2", "rex4", "res"), strict=True):
        assert torch.equal(gradient, names[name]), name
    assert torch.equal(names["x6"], names["y_pred"])
    assert trace.worst() is Verdict.EXACT


def test_the_steps_are_the_articles_in_its_order():
    trace = TwoLayer().trace(1)
    assert [step.label for step in trace.steps] == [
        *("x1", "x2", "x3", "x4", "x5", "x6", "re", "loss"),
        *("dloss", "re", "res", "rex4", "reP2", "rex2", "sum(rex2)", "regx2"),
        *("P0", "P1", "P2", "P3"),
    ]
    assert {step.label: step.twin.label for step in trace.steps if step.twin} == {
        "x2": "torch",
        "x4": "torch",
        "x6": "y_pred",
        "loss": "loss_fn",
        "re": "dL/dx6",
        "res": "pgrad[3]",
        "rex4": "pgrad[2]",
        "reP2": "dL/dx4",
        "rex2": "dL/dx2",
        "sum(rex2)": "pgrad[1]",
        "regx2": "pgrad[0]",
        **dict.fromkeys(("P0", "P1", "P2", "P3"), "torch"),
    }


def test_formulas_and_shapes_read_as_mathematics():
    shown = {step.label: (step.formula, step.algebra) for step in TwoLayer().trace(1).steps}
    assert shown["x1"] == ("x1 = x · P0ᵀ", "2×3 · 4×3ᵀ = 2×4")
    assert shown["x4"] == ("x4 = x3 ∘ x2", "2×4 ∘ 2×4 = 2×4")
    assert shown["loss"] == ("loss = Σ (re ∘ re)", "Σ (2×5 ∘ 2×5) = scalar")
    assert shown["rex4"] == ("rex4 = reᵀ · x4", "2×5ᵀ · 2×4 = 5×4")
    assert shown["regx2"] == ("regx2 = rex2ᵀ · x", "2×4ᵀ · 2×3 = 4×3")


def test_re_is_bound_twice_and_the_namespace_has_the_one_that_holds():
    trace = TwoLayer().trace(1)
    error, doubled = (step for step in trace.steps if step.name == "re")
    assert torch.equal(2 * error.value, doubled.value)
    assert trace.namespace(error.index)["re"] is error.value
    assert trace.namespace(doubled.index - 1)["re"] is error.value
    assert trace.namespace(doubled.index)["re"] is doubled.value


def test_gradients_of_autograd_are_not_known_before_it_ran():
    trace = TwoLayer().trace(1)
    assert trace.namespace(trace.autograd_at - 1)["pgrad"] == [None] * 4
    assert all(grad is not None for grad in trace.namespace(trace.autograd_at)["pgrad"])


def test_a_name_alone_is_what_it_is_among_all():
    trace = TwoLayer().trace(1)
    for step in trace.steps:
        for name, value in trace.namespace(step.index).items():
            alone = trace.namespace(step.index, [name])[name]
            assert alone is value or name in ("pgrad", "grad")
        assert "x1" not in trace.namespace(step.index, ["x2"])


def test_the_namespace_holds_torch_itself_at_every_step():
    trace = TwoLayer().trace(1)
    assert all(trace.namespace(step.index)["torch"] is torch for step in trace.steps)


SIZES = [
    Options(n=64, d_in=1000, hidden=100, d_out=10),
    Options(n=1, d_in=1, hidden=1, d_out=1),
    Options(depth=3),
    Options(n=7, hidden=33, depth=5),
    Options(n=16, d_in=64, hidden=32, d_out=8, depth=2),
]


@pytest.mark.parametrize("options", SIZES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("seed", range(3))
def test_other_sizes_depths_and_dtypes_agree(options, dtype, seed):
    trace = TwoLayer(replace(options, dtype=dtype, seed=seed)).trace(2)
    for step in trace.steps:
        if step.twin is not None:
            assert step.twin.comparison.verdict in AGREED, (step.label, step.twin.comparison)
    for group in trace.groups:
        assert group.isolated is None or group.isolated.verdict in AGREED, group.title


def test_deeper_nets_continue_the_articles_names():
    names = [step.name for step in TwoLayer(Options(depth=2)).trace(1).steps]
    backward = names[names.index("dloss") + 1 : names.index("P0")]
    assert backward == [
        *("re", "res", "rex8", "reP4", "rex6"),
        *("sum_rex6", "regx6", "rex6P2", "rex2", "sum_rex2", "regx2"),
    ]


def test_updated_weights_drift_and_the_reason_is_given():
    options = Options(update_first=True)
    drifted, right = TwoLayer(options).trace(1), TwoLayer().trace(1)
    assert drifted.steps[0].phase == "update"
    assert drifted.worst() is Verdict.DIFFERENT
    assert "updated in place before" in drifted.warning
    assert right.worst() is Verdict.EXACT and right.warning == ""
    for mine, theirs in zip(drifted.gradients, right.gradients, strict=True):
        assert same_bits(mine.value, theirs.value)  # autograd is the same
        assert 1e-6 < mine.comparison.max_abs < 1e-1
    notes = [s.note for s in drifted.steps if s.twin and s.twin.label == "pgrad[0]"]
    assert "drift apart by up to" in notes[0]
    # By hand from the new weights, exactly as the article's listing has it.
    new = {step.name: step.value for step in drifted.steps if step.phase == "update"}
    given = {item.name: item.value for item in drifted.given}
    assert torch.equal(given["P0"], new["P0"])
    assert not torch.equal(given["P0"], {g.name: g.value for g in right.given}["P0"])


def test_overflow_is_shown_as_what_it_is():
    session = TwoLayer(Options(lr=1e9, iterations=8))
    traces = [session.trace(i) for i in range(1, 9)]
    found = [s.twin.comparison for trace in traces for s in trace.steps if s.twin]
    assert any(comparison.nonfinite for comparison in found)
    assert all(comparison.verdict in AGREED for comparison in found)


def test_the_names_hold_where_everything_is_nan():
    trace = TwoLayer(Options(lr=1e30, iterations=4)).trace(4)
    assert [step.name for step in trace.steps] == [step.name for step in TwoLayer().trace(1).steps]
    assert trace.steps[3].value.isnan().any()
    assert trace.worst() in AGREED


def test_travel_is_exact_in_any_order():
    straight = TwoLayer()
    losses = [straight.trace(i).loss for i in (1, 2, 3)]
    jumped = TwoLayer()
    far = jumped.trace(300)
    assert jumped.trace(1).loss == losses[0]
    assert jumped.trace(3).loss == losses[2]
    again = jumped.trace(300)
    for a, b in zip(far.steps, again.steps, strict=True):
        assert same_bits(a.value, b.value)
    straight.run_to(300)
    assert straight.trace(300).loss == far.loss


def test_observed_or_not_the_net_learns_the_same_bits():
    watched, plain = TwoLayer(Options(iterations=20)), TwoLayer(Options(iterations=20))
    for iteration in range(1, 21):
        watched.trace(iteration)
    plain.run_to(21)
    for a, b in zip(watched.model.parameters(), plain.model.parameters(), strict=True):
        assert same_bits(a.detach(), b.detach())
    assert watched.losses == plain.losses


def test_the_global_random_state_is_left_alone():
    before = torch.get_rng_state()
    TwoLayer().trace(2)
    assert torch.equal(before, torch.get_rng_state())


def test_the_dimension_table_is_computed_from_the_live_shapes():
    assert TwoLayer().trace(1).dimensions == (
        ("x·P0ᵀ + P1 = x2", "2×3 · 3×4 + 4 = 2×4"),
        ("relu(x2) = x4", "2×4 ⇒ 2×4"),
        ("x4·P2ᵀ + P3 = x6", "2×4 · 4×5 + 5 = 2×5"),
        ("re = x6 − y", "2×5 − 2×5 = 2×5"),
        ("grad(P3) = Σrows re", "Σrows 2×5 = 5"),
        ("grad(P2) = reᵀ·x4", "5×2 · 2×4 = 5×4"),
        ("grad(P1) = Σrows (re·P2)∘x3", "Σrows (2×5 · 5×4) ∘ 2×4 = 4"),
        ("grad(P0) = ((re·P2)∘x3)ᵀ·x", "((2×5 · 5×4) ∘ 2×4)ᵀ · 2×3 = 4×3"),
    )
    deep = dict(TwoLayer(Options(n=6, depth=2, hidden=7)).trace(1).dimensions)
    assert deep["grad(P0) = ((rex6·P2)∘x3)ᵀ·x"] == "((6×7 · 7×7) ∘ 6×7)ᵀ · 6×3 = 7×3"


def test_the_lessons_own_update_is_torchs_sgd():
    """To the last bit but one: torch may fuse param − lr·grad into one rounding."""
    lesson, session = TwoLayer(), TwoLayer()
    optimizer = torch.optim.SGD(lesson.model.parameters(), lr=1e-4)
    for iteration in range(1, 51):
        lesson.model.zero_grad()
        lesson.loss_fn(lesson.model(lesson.x), lesson.y).backward()
        optimizer.step()
        session.train(iteration)
    for a, b in zip(lesson.model.parameters(), session.model.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-7)


def test_the_lesson_does_not_wait_for_torchs_compiler():
    program = (
        "import sys; from backprop_tui.lessons.two_layer import TwoLayer; TwoLayer().trace(2); "
        "print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "False"
