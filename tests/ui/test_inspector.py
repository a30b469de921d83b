"""The inspector through its keys, and the charts beside it."""

import math

import pytest
import torch
from textual.app import App, ComposeResult
from textual.content import Content
from textual.widgets import Input

from backprop_tui.lines import trace
from backprop_tui.rules.linear import linear
from backprop_tui.steps import Step
from backprop_tui.ui.charts import GradientNorms, LossCurve, bar, resample, strip
from backprop_tui.ui.grid import TensorGrid
from backprop_tui.ui.inspector import Inspector
from backprop_tui.ui.words import Words


class Host(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []

    def compose(self) -> ComposeResult:
        yield Inspector()

    def notify(self, message: str, **options) -> None:
        self.notes.append(message)

    @property
    def inspector(self) -> Inspector:
        return self.query_one(Inspector)

    @property
    def grid(self) -> TensorGrid:
        return self.query_one(TensorGrid)

    @property
    def heading(self) -> str:
        """What the frame says is inspected."""
        shown = Content.from_markup(self.inspector.border_title or "").plain
        return shown.removeprefix("6 inspector · ")

    def text(self, which: str) -> str:
        return str(self.query_one(f"#{which}").render())

    def words(self) -> list[str]:
        words = self.query_one(Words)
        return [line.plain for line in words._lines] if words.display else []

    def painted(self) -> list[str]:
        """The whole screen, as a person sees it."""
        strips = self.screen._compositor.render_strips()
        return ["".join(segment.text for segment in line).rstrip() for line in strips]


def weight_step() -> Step:
    """The line ``dweight = dy.t() @ input`` of the real rule, on small numbers."""
    x4 = torch.tensor([[0.0, 1.0, 0.5], [2.0, 0.0, 4.0]])
    re = torch.tensor([[1.5, -2.0], [0.25, 3.0]])
    _, (_, backward) = trace(linear, x4, torch.ones(2, 3), torch.ones(2))
    lines, _ = trace(backward, re)
    line = next(line for line in lines if line.target == "dweight")
    names = {"dy": "re", "input": "x4"}
    return Step(0, "backward", 0, "2", "rex4", "rex4", line.value, "", "", line=line, names=names)


async def open_weight(pilot, twin: torch.Tensor | None = None) -> Step:
    step = weight_step()
    pilot.app.inspector.show("rex4", step.value, "pgrad[2]", twin, step)
    pilot.app.grid.focus()
    await pilot.pause()
    return step


async def test_the_top_line_compares_the_element_with_its_twin():
    app = Host()
    async with app.run_test(size=(80, 10)) as pilot:
        twin = weight_step().value.clone()
        twin[1, 2] = torch.nextafter(twin[1, 2], torch.tensor(math.inf))
        await open_weight(pilot, twin)
        await pilot.press("down", "right", "right")
        assert app.text("headline") == (
            "rex4[1, 2] = 11.0   pgrad[2][1, 2] = 11.000001   Δ -9.54e-07   1 ulp"
        )
        await pilot.press("left")
        assert app.text("headline").endswith("Δ 0   0 ulp")


async def test_where_room_is_short_the_gap_stays():
    app = Host()
    async with app.run_test(size=(40, 10)) as pilot:
        await open_weight(pilot, weight_step().value)
        assert app.text("headline") == "rex4[0, 0] = 0.5   Δ 0   0 ulp"
        assert app.painted()[-1] == "min -2  max 11  norm 12.9059  zeros 0"


async def test_the_cell_under_the_cursor_is_expanded():
    app = Host()
    async with app.run_test(size=(80, 10)) as pilot:
        await open_weight(pilot)
        await pilot.press("down", "right", "right")
        assert app.words() == [
            "Σₙ re[n,1]·x4[n,2]",
            "  n=0  -2.0000 ×  0.5000 = -1.0000",
            "  n=1   3.0000 ×  4.0000 = 12.0000",
            "  total 11.0, as recorded",
        ]
        await pilot.press("e")
        assert app.words() == []
        await pilot.press("e")
        assert len(app.words()) == 4


async def test_everything_is_in_sight_in_a_small_pane():
    app = Host()
    async with app.run_test(size=(80, 8)) as pilot:
        await open_weight(pilot, weight_step().value)
        screen = app.painted()
        assert screen[0].startswith("rex4[0, 0] = 0.5   pgrad[2][0, 0] = 0.5   Δ 0   0 ulp")
        assert "Σₙ re[n,0]·x4[n,0]" in screen[1]
        assert screen[2].startswith("0  0.5000  1.5000  1.7500")
        assert "n=0  1.5000 × 0.0000 = 0.0000" in screen[2]
        assert screen[-1].startswith("min -2  max 11  norm ")


@pytest.mark.parametrize("size", [(1, 1), (12, 2), (20, 5), (40, 12), (200, 60)])
async def test_any_size_will_do(size):
    app = Host()
    async with app.run_test(size=size) as pilot:
        await open_weight(pilot, weight_step().value)
        await pilot.press("down", "m", "d", "H", "e")
        await pilot.resize_terminal(30, 7)
        await pilot.pause()
        assert app.painted()[0].startswith("rex4[1, 0]")


async def test_statistics_take_the_place_of_the_terms():
    app = Host()
    async with app.run_test(size=(90, 12)) as pilot:
        await open_weight(pilot)
        await pilot.press("m")
        words = app.words()
        assert [line.split()[:2] for line in words[:5]] == [
            ["min", "-2"],
            ["max", "11"],
            ["mean", "3.1250"],
            ["std", "4.6469"],
            ["norm", "12.9059"],
        ]
        assert [line.split()[2:] for line in words[:5]] == [
            ["zeros", "0"],
            ["NaN", "0"],
            ["+∞", "0"],
            ["-∞", "0"],
            ["of", "6"],
        ]
        await pilot.press("m")
        assert app.words()[0].startswith("Σₙ")


async def test_nan_and_inf_are_counted_in_sight():
    app = Host()
    async with app.run_test(size=(90, 12)) as pilot:
        app.inspector.show("h", torch.tensor([math.nan, math.inf, 1.0]))
        await pilot.pause()
        assert app.text("summary").startswith("NaN 1  +∞ 1  min 1  max 1")
        assert app.text("headline") == "h[0] = NaN"


async def test_difference():
    app = Host()
    async with app.run_test(size=(80, 10)) as pilot:
        step = weight_step()
        await open_weight(pilot, step.value - 0.25)
        await pilot.press("down", "d")
        assert app.heading == "rex4 - pgrad[2] 2×3 float32"
        assert app.inspector.selection is not None
        name, tensor = app.inspector.selection
        assert name == "rex4 - pgrad[2]"
        assert tensor.tolist() == [[0.25] * 3] * 2
        assert app.grid.cursor == (1, 0)
        await pilot.press("d")
        assert app.heading == "rex4 2×3 float32"


@pytest.mark.parametrize(
    ("twin", "why"), [(None, "has no twin"), (torch.ones(4), "has a twin of another shape")]
)
async def test_difference_to_nothing(twin, why):
    app = Host()
    async with app.run_test(size=(80, 10)) as pilot:
        await open_weight(pilot, twin)
        await pilot.press("d")
        assert why in app.notes[-1]
        assert app.inspector.selection is not None
        assert app.inspector.selection[0] == "rex4"


async def test_difference_of_truth_values():
    app = Host()
    async with app.run_test(size=(80, 10)) as pilot:
        app.inspector.show("m", torch.tensor([True, False]), "n", torch.tensor([True, True]))
        app.grid.focus()
        await pilot.press("d")
        assert app.inspector.selection is not None
        assert app.inspector.selection[1].tolist() == [0, -1]


async def typed(pilot, key: str, text: str) -> None:
    await pilot.press(key)
    field = pilot.app.query_one(Input)
    assert field.has_focus
    field.value = text
    await pilot.press("enter")


async def test_slices():
    app = Host()
    cube = torch.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    async with app.run_test(size=(80, 12)) as pilot:
        app.inspector.show("x", cube)
        app.grid.focus()
        await pilot.pause()
        assert app.heading == "x[0, 0, :, :] 2×3×4×5 int64"
        assert app.inspector.selection is not None
        assert app.inspector.selection[0] == "x"
        assert torch.equal(app.inspector.selection[1], cube)
        await typed(pilot, "/", "x[1, :, 2, 1:3]")
        assert app.grid.has_focus
        assert app.heading == "x[1, :, 2, 1:3] 2×3×4×5 int64"
        assert app.inspector.selection is not None
        name, part = app.inspector.selection
        assert name == "x[1, :, 2, 1:3]"
        assert torch.equal(part, cube[1, :, 2, 1:3])
        await pilot.press("down", "right")
        assert app.text("headline") == f"x[1, 1, 2, 2] = {cube[1, 1, 2, 2]}"
        await typed(pilot, "/", "")
        assert app.heading == "x[0, 0, :, :] 2×3×4×5 int64"


async def test_a_wrong_slice_is_refused_beside_it():
    app = Host()
    async with app.run_test(size=(90, 12)) as pilot:
        await open_weight(pilot)
        for text, reason in (
            ("[9]", "9 is outside dimension 0"),
            ("[a]", "'a' is not a whole number"),
            ("x4[0]", "this is rex4, not x4"),
        ):
            await typed(pilot, "/", text)
            assert reason in app.text("wrong")
            assert app.query_one(Input).has_focus
        await pilot.press("escape")
        assert app.grid.has_focus
        assert app.heading == "rex4 2×3 float32"


async def test_turning_through_the_slices():
    app = Host()
    async with app.run_test(size=(80, 12)) as pilot:
        app.inspector.show("x", torch.zeros(2, 2, 3, 3))
        app.grid.focus()
        await pilot.press("right", "full_stop", "full_stop", "full_stop")
        assert app.heading.startswith("x[1, 1, :, :]")
        assert app.text("headline").startswith("x[1, 1, 0, 1]")
        await pilot.press("full_stop")
        assert app.notes[-1] == "this is the last slice"
        await pilot.press("comma")
        assert app.heading.startswith("x[1, 0, :, :]")


async def test_go_to_an_index():
    app = Host()
    async with app.run_test(size=(80, 12)) as pilot:
        app.inspector.show("x", torch.arange(600).reshape(2, 3, 100))
        app.grid.focus()
        await typed(pilot, "i", "1, 2, -1")
        assert app.text("headline") == "x[1, 2, 99] = 599"
        await typed(pilot, "i", "1, 2")
        assert "give 3 numbers" in app.text("wrong")


async def test_a_name_is_found_where_it_was_left():
    app = Host()
    async with app.run_test(size=(80, 12)) as pilot:
        app.inspector.show("x", torch.zeros(4, 4))
        app.grid.focus()
        await pilot.press("down", "right")
        app.inspector.show("y", torch.zeros(4, 4))
        assert app.text("headline").startswith("y[0, 0]")
        app.inspector.show("x", torch.ones(4, 4))
        assert app.text("headline") == "x[1, 1] = 1.0"
        app.inspector.show("x", torch.ones(3, 3, 3))
        assert app.text("headline") == "x[0, 0, 0] = 1.0"


@pytest.mark.parametrize(
    ("tensor", "headline"),
    [
        (torch.tensor(16.9011), "t = 16.9011"),
        (torch.zeros(0, 3), "t is empty: 0×3"),
        (torch.zeros(0, 3, 4), "t is empty: 0×3×4"),
        (torch.tensor([True]), "t[0] = True"),
        (torch.tensor([1 + 2j]), "t[0] = 1.0+2.0i"),
        (torch.eye(2).to_sparse(), "t[0, 0] = 1.0"),
        (torch.ones(2, requires_grad=True), "t[0] = 1.0"),
        (torch.ones(1, 1, 1, 1, 1).half(), "t[0, 0, 0, 0, 0] = 1.0"),
    ],
)
async def test_any_tensor(tensor, headline):
    app = Host()
    async with app.run_test(size=(80, 12)) as pilot:
        app.inspector.show("t", tensor)
        app.grid.focus()
        await pilot.press("m", "down", "up", "full_stop", "i", "escape", "d")
        assert app.text("headline") == headline


async def test_a_large_tensor_is_sampled_and_then_counted():
    app = Host()
    big = torch.zeros(1000, 1000)
    big[1, 1] = math.nan
    async with app.run_test(size=(90, 12)) as pilot:
        app.inspector.show("big", big)
        assert "≈ from" in app.text("summary")
        for _ in range(100):
            await pilot.pause(0.05)
            if "≈" not in app.text("summary"):
                break
        assert app.text("summary").startswith("NaN 1  ")


async def test_words_instead_of_a_tensor():
    app = Host()
    async with app.run_test(size=(40, 8)) as pilot:
        await open_weight(pilot)
        app.inspector.show_text("error", "NameError\n" + "long " * 20)
        await pilot.pause()
        assert app.inspector.selection is None
        screen = app.painted()
        assert screen[:2] == ["error", "NameError"]
        assert "".join(screen[2:]).count("long") == 20
        await open_weight(pilot)
        assert app.painted()[0].startswith("rex4[0, 0]")


def test_a_strip_never_hides_a_bin():
    assert strip([0, 1, 500, 1000]) == " ▂▅█"
    assert strip([0, 0]) == "  "
    assert strip([]) == ""


def test_a_bar_is_filled_to_an_eighth():
    assert bar(1.0, 3) == "███"
    assert bar(0.5, 3) == "█▌ "
    assert bar(1e-9, 3) == "▏  "
    assert bar(0.0, 3) == "   "


def test_resampling_keeps_both_ends():
    assert resample([1, 2, 3], 5) == [1, 2, 3]
    assert resample(list(range(100)), 3) == [0, 50, 99]
    assert resample([1, 2, 3], 1) == [3]


class Charts(App[None]):
    CSS = "LossCurve, GradientNorms { height: 1fr; }"

    def compose(self) -> ComposeResult:
        yield LossCurve()
        yield GradientNorms()


def screen_of(app: App[None]) -> str:
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in line).rstrip() for line in strips)


async def test_the_loss_curve_is_plotted():
    app = Charts()
    async with app.run_test(size=(60, 30)) as pilot:
        curve = app.query_one(LossCurve)
        losses = {n: 100 / n for n in range(1, 50)}
        curve.update_losses({**losses, 50: math.nan, 51: math.inf}, 20)
        await pilot.pause(0.2)
        text = screen_of(app)
        assert text.startswith("loss 5  iteration 20  2 not finite")
        assert "●" in text
        assert any(0x2800 < ord(c) < 0x2900 for c in text)
        curve.focus()
        await pilot.press("L")
        assert "log₁₀" in screen_of(app)


@pytest.mark.parametrize(
    "losses", [{}, {1: 5.0}, {1: math.nan}, {1: 2.0, 2: 2.0}, {1: 0.0, 2: 1.0}]
)
@pytest.mark.parametrize("size", [(60, 30), (20, 4), (5, 2)])
async def test_the_loss_curve_of_hardly_anything(losses, size):
    app = Charts()
    async with app.run_test(size=size) as pilot:
        app.query_one(LossCurve).update_losses(losses, 1)
        await pilot.pause()
        app.query_one(LossCurve).action_logarithmic()
        await pilot.pause()
        assert screen_of(app).startswith("loss"[: size[0]])


async def test_gradient_norms_are_bars():
    app = Charts()
    async with app.run_test(size=(40, 12)) as pilot:
        norms = app.query_one(GradientNorms)
        norms.update_norms({"pgrad[0]": 8.0, "pgrad[1]": 4.0, "pgrad[2]": math.nan, "b": 0.0})
        await pilot.pause()
        lines = screen_of(app).splitlines()[6:]
        assert lines[0].split() == ["pgrad[0]", "█" * 28, "8"]
        assert lines[1].split() == ["pgrad[1]", "█" * 14, "4"]
        assert lines[2].split() == ["pgrad[2]", "NaN"]
        assert lines[3].split() == ["b", "0"]
