"""Statistics against torch's own, for every dtype and layout; and numbers as text."""

import math

import pytest
import torch

from backprop_tui import statistics as module
from backprop_tui.numbers import choose_format, exact_text, ulps
from backprop_tui.statistics import Stopped, pieces, sample, sampled_statistics, statistics

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize("piece", [module.PIECE, 7])
def test_figures_are_torchs(monkeypatch, piece):
    monkeypatch.setattr(module, "PIECE", piece)
    x = torch.randn(5, 4, 6, generator=torch.Generator().manual_seed(0)) * 3 + 1000
    x[0, 0, :2] = 0
    found = statistics(x)
    wide = x.double()
    assert (found.count, found.looked_at, found.sampled) == (120, 120, False)
    assert (found.minimum, found.maximum) == (x.min().item(), x.max().item())
    assert found.mean == pytest.approx(wide.mean().item(), rel=1e-14)
    assert found.std == pytest.approx(wide.std().item(), rel=1e-12)
    assert found.norm == pytest.approx(wide.norm().item(), rel=1e-14)
    assert found.zeros == 2
    expected = torch.histc(wide, len(found.histogram), wide.min().item(), wide.max().item())
    assert list(found.histogram) == expected.int().tolist()


def test_std_survives_a_large_mean(monkeypatch):
    monkeypatch.setattr(module, "PIECE", 7)
    x = torch.tensor([1e9 + k for k in range(50)], dtype=torch.float64)
    assert statistics(x).std == pytest.approx(x.sub(1e9).std().item(), rel=1e-9)


def test_nan_and_inf_are_counted_and_left_out():
    found = statistics(torch.tensor([NAN, INF, -INF, -INF, 0.0, 2.0, 4.0]))
    assert (found.nan, found.posinf, found.neginf, found.zeros) == (1, 1, 2, 1)
    assert (found.minimum, found.maximum, found.mean, found.std) == (0.0, 4.0, 2.0, 2.0)
    assert sum(found.histogram) == 3


@pytest.mark.parametrize("values", [[], [NAN, NAN], [INF]])
def test_without_a_finite_element(values):
    found = statistics(torch.tensor(values))
    assert math.isnan(found.minimum)
    assert math.isnan(found.mean)
    assert sum(found.histogram) == 0


def test_one_element_has_no_std():
    found = statistics(torch.tensor(3.0))
    assert (found.mean, found.norm) == (3.0, 3.0)
    assert math.isnan(found.std)
    assert sum(found.histogram) == 1


@pytest.mark.parametrize(
    "dtype",
    [torch.bool, torch.uint8, torch.int64, torch.float16, torch.bfloat16, torch.float64,
     torch.complex64, torch.float8_e4m3fn],
)  # fmt: skip
def test_every_dtype(dtype):
    x = torch.tensor([0, 1, 1, 3]).to(dtype)
    found = statistics(x)
    top = 1.0 if dtype == torch.bool else 3.0
    assert (found.minimum, found.maximum, found.zeros) == (0.0, top, 1)


def test_a_half_tensor_does_not_overflow():
    x = torch.full((300,), 60000.0, dtype=torch.float16)
    assert statistics(x).norm == pytest.approx(59999 * math.sqrt(300), rel=1e-3)


def test_pieces_cover_any_layout_without_copies():
    x = torch.arange(2 * 3 * 50).reshape(2, 3, 50).transpose(0, 2)
    parts = list(pieces(x, 7))
    assert all(part.numel() <= 7 for part in parts)
    assert torch.equal(torch.cat([p.reshape(-1) for p in parts]), x.reshape(-1))
    assert all(p.untyped_storage()._cdata == x.untyped_storage()._cdata for p in parts)
    wide = torch.ones(1).expand(1 << 30, 1 << 30)
    assert next(pieces(wide, module.PIECE)).numel() <= module.PIECE


def test_it_can_be_stopped():
    answers = iter([False, False, True])
    with pytest.raises(Stopped):
        statistics(torch.zeros(8 * module.PIECE), stop=lambda: next(answers))


def test_a_sample_is_named_and_scaled():
    x = torch.ones(1000, 100)
    x[:, :50] = 0
    found = sampled_statistics(x, 1000)
    assert found.count == 100_000
    assert 100 < found.looked_at <= 1000
    assert found.sampled
    assert found.zeros == pytest.approx(50_000, rel=0.2)
    assert found.norm == pytest.approx(x.norm().item(), rel=0.1)
    assert sampled_statistics(x, 200_000) == statistics(x)


def test_a_sample_is_spread_over_all_dimensions():
    x = torch.arange(300 * 200).reshape(300, 200)
    drawn = sample(x, 500)
    assert 50 < len(drawn) <= 500
    assert len(set((drawn // 200).tolist())) > 5
    assert len(set((drawn % 200).tolist())) > 5


def test_sampling_leaves_the_random_state_alone():
    state = torch.get_rng_state()
    sample(torch.arange(10_000.0), 100)
    assert torch.equal(torch.get_rng_state(), state)
    assert sample(torch.ones(3, 4, requires_grad=True), 12).tolist() == [1.0] * 12


def test_sampling_reads_little_of_a_huge_view():
    assert sample(torch.ones(1).expand(1 << 30, 1 << 30), 100).numel() <= 100


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (torch.tensor([5.6485, -1.7279, 0.0]), [" 5.6485", "-1.7279", "      0"]),
        (torch.tensor([1e-5, -2e-7]), [" 1.000e-05", "-2.000e-07"]),
        (torch.tensor([12345.678, 0.5]), ["12345.7", "    0.5"]),
        (torch.tensor([1.0, 0.0, -1.0]), [" 1.0", "   0", "-1.0"]),
        (torch.tensor([NAN, INF, -INF, 0.25]), ["   NaN", "     ∞", "    -∞", "0.2500"]),
        (torch.tensor([True, False]), ["1", "0"]),
        (torch.tensor([7, -130]), ["   7", "-130"]),
        (torch.tensor([1 + 2j, -0.5j]), [" 1.0000+2.0000i", "-0.0000-0.5000i"]),
        (torch.tensor([1.5], dtype=torch.bfloat16), ["1.5000"]),
    ],
)
def test_cells_of_a_tensor_share_a_format(values, expected):
    style = choose_format(values)
    texts = [style.text(value) for value in values.tolist()]
    assert [t.strip() for t in texts] == [e.strip() for e in expected]
    assert {len(text) for text in texts} == {style.width}


@pytest.mark.parametrize("value", [1e300, -1.2345e-300, 123456789.0, -99999.99, NAN, -INF, 1e5])
def test_an_element_outside_the_sample_still_fits(value):
    style = choose_format(torch.tensor([0.5]), whole=False)
    text = style.text(value)
    assert len(text) == style.width
    assert "#" not in text
    if math.isfinite(value):
        assert float(text) == pytest.approx(value, rel=0.3)


@pytest.mark.parametrize(
    ("element", "text"),
    [
        (torch.tensor(0.1), "0.1"),
        (torch.tensor(0.1, dtype=torch.float64), "0.1"),
        (torch.tensor(3.6751368), "3.6751368"),
        (torch.tensor(-0.0), "-0.0"),
        (torch.tensor(2.0), "2.0"),
        (torch.tensor(NAN), "NaN"),
        (torch.tensor(-INF), "-∞"),
        (torch.tensor(True), "True"),
        (torch.tensor(-7), "-7"),
        (torch.tensor(1 - 2j), "1.0-2.0i"),
    ],
)
def test_exact_text(element, text):
    assert exact_text(element) == text


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_ulps_count_representable_numbers(dtype):
    one = torch.tensor(1.0, dtype=dtype)
    eps = torch.finfo(dtype).eps
    assert ulps(one, one) == 0
    assert ulps(one, one + eps) == 1
    assert ulps(one, one - eps / 2) == 1
    assert ulps(torch.tensor(0.0, dtype=dtype), torch.tensor(-0.0, dtype=dtype)) == 0
    least = torch.finfo(dtype).smallest_normal * eps
    assert ulps(torch.tensor(least, dtype=dtype), torch.tensor(-least, dtype=dtype)) == 2


def test_ulps_without_meaning():
    one = torch.tensor(1.0)
    assert ulps(one, torch.tensor(NAN)) is None
    assert ulps(one, one.double()) is None
    assert ulps(torch.tensor(1), torch.tensor(1)) is None
