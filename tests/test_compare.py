"""Verdicts: no false alarm where rounding explains the gap, none missed where it does not."""

from __future__ import annotations

import math

import pytest
import torch

from backprop_tui.compare import ROUNDING, Verdict, bound, compare, same_bits, worst


def matmul_case(seed: int, n: int = 64, k: int = 512):
    """A product summed in two orders, with its float64 truth."""
    generator = torch.Generator().manual_seed(seed)
    a, b = torch.randn(n, k, generator=generator), torch.randn(k, n, generator=generator)
    order = torch.randperm(k, generator=generator)
    return a @ b, a[:, order] @ b[order], a.double() @ b.double()


@pytest.mark.parametrize("seed", range(30))
def test_another_order_of_summing_is_rounding(seed):
    manual, autograd, truth = matmul_case(seed)
    found = compare(manual, autograd, lambda: truth)
    assert found.verdict is Verdict.ROUNDING and 0 < found.rho <= 16
    assert found.max_abs > 0 and found.ulps >= 1


@pytest.mark.parametrize("factor", [2.0, 1 / 64, 1 + 1e-4, -1.0, 0.0])
def test_a_wrong_factor_is_different(factor):
    manual, autograd, truth = matmul_case(0)
    found = compare(manual, autograd * factor, lambda: truth)
    assert found.verdict is Verdict.DIFFERENT and found.rho > 64


def test_equal_bits_are_exact_and_the_truth_is_not_asked_for():
    tensor = torch.tensor([1.0, math.nan, math.inf, -0.0])

    def never():
        raise AssertionError

    found = compare(tensor, tensor.clone(), never)
    assert found.verdict is Verdict.EXACT and found.rho == 0 and found.nonfinite == 2


def test_a_true_gradient_of_zero_is_judged_by_what_rounding_does_to_it():
    """Two right answers of pure cancellation noise differ by 100 %."""
    truth = torch.zeros(8, dtype=torch.float64)
    manual, autograd = torch.full((8,), 3e-8), torch.full((8,), -5e-8)
    shaken = torch.full((8,), 4e-8, dtype=torch.float64)
    assert compare(manual, autograd, lambda: truth, lambda: [shaken]).verdict is Verdict.ROUNDING
    large = torch.full((8,), 1e-5)
    assert compare(manual, large, lambda: truth, lambda: [shaken]).verdict is Verdict.DIFFERENT


def test_nothing_but_zeros_by_hand_bounds_nothing():
    """Zeros have no size to measure a gap by; that is no reason to call it rounding."""
    zeros = torch.zeros(4)
    assert bound(zeros, torch.full((4,), 1e-3)) == math.inf
    assert bound(zeros, zeros.clone(), zeros.clone()) <= ROUNDING


def test_a_small_gradient_hides_nothing():
    """allclose calls these equal: atol is larger than the gradient."""
    truth = torch.full((4,), 1e-9, dtype=torch.float64)
    manual = truth.float()
    assert torch.allclose(manual, manual * 1.001)
    assert compare(manual, manual * 1.001, lambda: truth).verdict is Verdict.DIFFERENT


def test_where_one_is_finite_and_the_other_is_not():
    truth = torch.tensor([1.0, 2.0], dtype=torch.float64)
    manual, broken = torch.tensor([1.0, 2.0]), torch.tensor([1.0, math.nan])
    assert compare(manual, broken, lambda: truth).verdict is Verdict.DIFFERENT
    beyond = torch.tensor([1.0, 1e300], dtype=torch.float64)
    overflowed = torch.tensor([1.0, math.inf])
    large = torch.tensor([1.0, 3.4e38])
    assert compare(overflowed, large, lambda: beyond).verdict is Verdict.ROUNDING


def test_shapes_must_match():
    found = compare(torch.zeros(2, 1), torch.zeros(2), lambda: torch.zeros(2))
    assert found.verdict is Verdict.DIFFERENT and found.rho == math.inf


def test_without_a_truth_unequal_bits_are_unchecked():
    found = compare(torch.tensor([1.0]), torch.tensor([1.5]))
    assert found.verdict is Verdict.UNCHECKED and found.max_abs == 0.5


def test_what_people_know_is_shown_too():
    manual = torch.tensor([[1.0, 2.0], [4.0, 8.0]])
    autograd = manual.clone()
    autograd[1, 0] = torch.nextafter(torch.tensor(4.0), torch.tensor(9.0))
    found = compare(manual, autograd)
    assert found.worst == (1, 0) and found.ulps == 1
    assert found.max_abs == pytest.approx(2**-21) and found.max_rel == pytest.approx(2**-23)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.complex64])
def test_every_dtype(dtype):
    manual = torch.tensor([1.0, -3.0]).to(dtype)
    wide = torch.complex128 if manual.is_complex() else torch.float64
    found = compare(manual, manual * 2, lambda: manual.to(wide))
    assert found.max_abs == 3.0 and found.verdict is Verdict.DIFFERENT
    assert compare(manual, manual.clone()).verdict is Verdict.EXACT


def test_ulps_across_zero():
    tiny = torch.nextafter(torch.tensor(0.0), torch.tensor(1.0))
    assert compare(tiny, -tiny).ulps == 2


def test_empty_tensors_are_exact():
    assert compare(torch.zeros(0, 3), torch.zeros(0, 3)).verdict is Verdict.EXACT


@pytest.mark.filterwarnings("ignore:ComplexHalf")
def test_same_bits_of_halves_that_are_complex():
    def half(*numbers):
        return torch.tensor(numbers, dtype=torch.complex64).to(torch.complex32)

    assert same_bits(half(1 + 1j, 2), half(1 + 1j, 2))
    assert same_bits(half(complex(math.nan, 1)), half(complex(math.nan, 1)))
    assert not same_bits(half(1 + 1j, 2), half(1 + 1j, 2j))


def test_same_bits_looks_at_the_dtype():
    assert not same_bits(torch.ones(2), torch.ones(2, dtype=torch.float64))


def test_worst_of_none_is_unchecked():
    assert worst([None]) is Verdict.UNCHECKED
    assert max(Verdict, key=lambda verdict: verdict.rank) is Verdict.DIFFERENT
