"""Values as text and rows at their heights, without a screen."""

from __future__ import annotations

import math

import pytest
import torch

from backprop_tui.lessons.two_layer import Options, TwoLayer
from backprop_tui.steps import Trace
from backprop_tui.ui import render, rows
from backprop_tui.ui.theme import DARK, PALETTES, heat


@pytest.fixture(scope="module")
def trace() -> Trace:
    return TwoLayer(Options()).trace(1)


@pytest.mark.parametrize(
    ("value", "width", "text"),
    [
        (0.0, 6, "0"),
        (-0.0, 6, "0"),
        (1.0, 6, "1"),
        (0.2327, 6, "0.233"),
        (-3.377, 6, "-3.377"),
        (-3.377, 5, "-3.38"),
        (16.9011, 5, "16.90"),
        (1234.5, 5, "1234"),
        (0.0001, 5, "1e-4"),
        (-1.6e30, 6, "-2e30"),
        (float("nan"), 4, "NaN"),
        (float("inf"), 4, "+∞"),
        (float("-inf"), 4, "-∞"),
    ],
)
def test_numbers_fit_their_cells(value: float, width: int, text: str) -> None:
    assert render.number(value, width) == text


def first_row(value: torch.Tensor, room: int) -> str:
    cells = render.matrix_cells(value, room)[0]
    return render.matrix_row(cells, value.shape[1], DARK).plain


@pytest.mark.parametrize("room", [20, 26, 30, 40, 80])
def test_a_row_never_exceeds_its_room_and_says_when_it_is_cut(room: int) -> None:
    value = torch.tensor([[0.123, -45.6, 1e9, float("nan"), -float("inf"), 0.0]])
    text = first_row(value, room)
    assert len(text) <= room
    assert text.endswith("…") == (room < 6 * 5)


def test_neighbours_are_told_apart_in_the_narrowest_cells() -> None:
    value = torch.tensor([[-0.31, -0.02, 16.9, 16.9, -0.5]])
    assert first_row(value, 25).replace("-", " -").split() == [
        "-0.31",
        "-0.02",
        "16.9",
        "16.9",
        "-0.50",
    ]


def test_every_dtype_has_a_row_and_a_summary() -> None:
    for dtype in (torch.bool, torch.int64, torch.float16, torch.bfloat16, torch.complex64):
        value = torch.ones(2, 3).to(dtype)
        assert first_row(value, 40).strip()
        assert render.summary(value.repeat(20, 20), 40, DARK).plain.strip()


def test_a_summary_says_what_is_not_finite() -> None:
    value = torch.ones(100)
    value[3] = float("inf")
    assert "inf" in render.summary(value, 40, DARK).plain
    assert render.summary(value[3:5], 40, DARK).plain.startswith("!")
    assert render.summary(torch.empty(0, 3), 40, DARK).plain == "empty"


def test_the_infinity_of_a_mask_is_said_calmly() -> None:
    value = torch.ones(100)
    value[3] = -math.inf
    assert render.summary(value, 40, DARK).plain.startswith(" -inf ")
    assert render.summary(value[3:5], 40, DARK).plain.startswith("−")
    calm, alarm = (render.nonfinite_style(item, DARK) for item in (-math.inf, math.inf))
    assert calm != alarm == render.nonfinite_style(math.nan, DARK)


@pytest.mark.parametrize("scale", [1.0, 1e-30, 1e30])
def test_the_norm_of_a_long_tensor_has_all_the_digits_that_are_shown(scale: float) -> None:
    value = scale * torch.rand(300_001, generator=torch.Generator().manual_seed(0))
    exact = float(value.double().norm())
    assert render.norm(value) == pytest.approx(exact, rel=1e-6)
    assert render.norm(value.view(1, -1)[:, ::2]) == pytest.approx(
        float(value[::2].double().norm()), rel=1e-6
    )
    assert render.norm(value.bfloat16()) == pytest.approx(exact, rel=1e-2)


def test_heat_tells_the_sign_apart_in_every_theme() -> None:
    for palette in PALETTES.values():
        assert heat(10, palette) != heat(-10, palette)
        assert heat(0, palette) not in (heat(10, palette), heat(-10, palette))


def test_twins_are_as_high_as_each_other(trace: Trace) -> None:
    manual, auto = rows.lay_out_pair(*rows.paired_rows(trace), folded=())
    assert manual.tops == auto.tops
    for step in trace.steps:
        if step.phase in ("backward", "update") and step.twin is not None:
            number = manual.rows.number(f"step:{step.index}")
            assert number is not None and number == auto.rows.number(f"twin:{step.index}")
            assert manual.rows[number].value is step.value
            assert auto.rows[number].value is step.twin.value


def test_folding_one_twin_folds_the_other(trace: Trace) -> None:
    rex4 = next(s for s in trace.steps if s.label == "rex4")
    open_, _ = rows.lay_out_pair(*rows.paired_rows(trace), folded=())
    manual, auto = rows.lay_out_pair(*rows.paired_rows(trace), folded={f"step:{rex4.index}"})
    assert manual.tops == auto.tops
    assert open_.height - manual.height == len(rex4.value)


def test_the_forward_rows_begin_with_what_is_given(trace: Trace) -> None:
    labels = [row.label for row in rows.forward_rows(trace)]
    assert labels[:6] == ["x", "P0", "P1", "P2", "P3", "x1"]
    assert labels[-4:] == ["loss", "y", "re", "loss"]


def test_a_line_is_found_in_its_block(trace: Trace) -> None:
    layout = rows.lay_out(rows.forward_rows(trace), folded=())
    for number, body in enumerate(layout.bodies):
        for line in range(layout.tops[number], layout.tops[number] + 1 + body):
            assert layout.at(line) == number
