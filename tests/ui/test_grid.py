"""The grid: what it paints, how its cursor moves, what the mouse copies."""

import math

import pytest
import torch
from textual.app import App, ComposeResult
from textual.geometry import Offset
from textual.selection import SELECT_ALL, Selection

from backprop_tui.ui.grid import TensorGrid
from backprop_tui.ui.ramp import mark
from backprop_tui.ui.theme import LEVELS

NAN, INF = math.nan, math.inf


class Host(App[None]):
    def __init__(self, tensor: torch.Tensor) -> None:
        super().__init__()
        self.tensor = tensor
        self.moves: list[tuple[int, ...]] = []

    def compose(self) -> ComposeResult:
        yield TensorGrid()

    def on_mount(self) -> None:
        grid = self.query_one(TensorGrid)
        grid.show(self.tensor)
        self.watch(grid, "cursor", lambda: self.moves.append(grid.index), init=False)


def lines(grid: TensorGrid) -> list[str]:
    painted = (grid.render_line(y).text.rstrip() for y in range(grid.size.height))
    return [text for text in painted if text]


async def painted(tensor: torch.Tensor, size: tuple[int, int] = (40, 10)) -> list[str]:
    app = Host(tensor)
    async with app.run_test(size=size):
        return lines(app.query_one(TensorGrid))


async def test_a_matrix_has_its_indices():
    assert await painted(torch.tensor([[1.5, -2.25], [0.0, 30.125]])) == [
        "        0       1",
        "0  1.5000 -2.2500",
        "1       0 30.1250",
    ]


async def test_a_vector_is_one_row():
    assert await painted(torch.tensor([3, -1, 12])) == [" 0  1  2", " 3 -1 12"]


async def test_a_scalar_is_alone():
    assert await painted(torch.tensor(16.9011)) == ["16.9011"]


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (2, 0, 4)])
async def test_an_empty_tensor_says_so(shape):
    app = Host(torch.zeros(shape))
    async with app.run_test(size=(40, 10)) as pilot:
        assert lines(app.query_one(TensorGrid)) == ["empty: no elements"]
        await pilot.press("tab", "down", "right", "pagedown", "end", "ctrl+end")
        assert app.query_one(TensorGrid).cursor == (0, 0)


@pytest.mark.parametrize(
    ("tensor", "row"),
    [
        (torch.tensor([True, False]), "1 0"),
        (torch.tensor([0.5, NAN, INF, -INF]), "0.5000    NaN      ∞     -∞"),
        (torch.tensor([1.5, -2.0], dtype=torch.bfloat16), " 1.5000 -2.0000"),
        (torch.tensor([1.5, -2.0], dtype=torch.float16), " 1.5000 -2.0000"),
        (torch.tensor([1 - 2j, 0.5j]), " 1.0000-2.0000i  0.0000+0.5000i"),
        (torch.ones(2, requires_grad=True), "1.0 1.0"),
        (torch.tensor([[1, 2], [3, 4]]).t()[0], "1 3"),
    ],
)
async def test_every_kind_of_number(tensor, row):
    assert (await painted(tensor))[1] == row


async def test_an_element_that_the_sample_missed_stays_in_its_column():
    tensor = torch.zeros(300, 300)
    tensor[1, 1] = -1.2345678e33
    first, *rows = await painted(tensor, (40, 10))
    assert rows[1].index("-1.23e33") + len("-1.23e33") == first.index("1") + 1
    assert rows[2].index("0", 15) == first.index("1")


async def test_a_cut_number_is_not_shown():
    """Half a number would be read as another number."""
    text = await painted(torch.full((1, 20), 123.4567), (22, 4))
    assert text[1] == "0 123.457 123.457 …"


async def test_labels_are_the_slices_own():
    app = Host(torch.zeros(2, 2))
    async with app.run_test(size=(40, 10)):
        grid = app.query_one(TensorGrid)
        grid.show(torch.tensor([[1, 2], [3, 4]]), [range(10, 14, 2), range(5, 7)])
        assert lines(grid) == ["   5 6", "10 1 2", "12 3 4"]


async def test_keys_move_the_cursor():
    app = Host(torch.zeros(100, 50))
    async with app.run_test(size=(40, 11)) as pilot:
        grid = app.query_one(TensorGrid)
        grid.focus()

        async def after(*keys):
            await pilot.press(*keys)
            return grid.cursor

        assert await after("down", "j", "right", "l", "l") == (2, 3)
        assert await after("up", "k", "left", "h") == (0, 1)
        assert await after("up") == (0, 1)
        assert await after("pagedown") == (10, 1)
        assert await after("end") == (10, 49)
        assert await after("end") == (99, 49)
        assert await after("home") == (99, 0)
        assert await after("home") == (0, 0)
        assert await after("ctrl+end") == (99, 49)
        assert await after("pageup") == (89, 49)
        assert await after("ctrl+home") == (0, 0)
        assert app.moves[:3] == [(1, 0), (2, 0), (2, 1)]
        assert app.moves[-1] == (0, 0)


async def test_a_page_of_a_vector_goes_sideways():
    app = Host(torch.zeros(1000))
    async with app.run_test(size=(40, 11)) as pilot:
        grid = app.query_one(TensorGrid)
        grid.focus()
        await pilot.press("pagedown")
        assert grid.index == (39 // grid.cell_width,)
        assert app.moves == [grid.index]


async def test_the_cursor_is_always_in_sight():
    app = Host(torch.arange(100 * 50).reshape(100, 50))
    async with app.run_test(size=(40, 11)) as pilot:
        grid = app.query_one(TensorGrid)
        grid.focus()
        await pilot.press("ctrl+end")
        assert "4999" in lines(grid)[-1]
        await pilot.press("ctrl+home")
        assert lines(grid)[1].split()[:3] == ["0", "0", "1"]
        for _ in range(12):
            await pilot.press("down")
        assert "600" in "".join(lines(grid))


async def test_showing_again_keeps_the_cursor_inside():
    app = Host(torch.zeros(10, 10))
    async with app.run_test(size=(40, 11)):
        grid = app.query_one(TensorGrid)
        grid.show(torch.zeros(10, 10), cursor=(7, 8))
        grid.show(torch.ones(10, 10))
        assert grid.cursor == (7, 8)
        grid.show(torch.ones(3, 9))
        assert grid.cursor == (2, 8)
        assert app.moves == []


async def test_a_click_moves_the_cursor():
    app = Host(torch.zeros(10, 10))
    async with app.run_test(size=(60, 12)) as pilot:
        grid = app.query_one(TensorGrid)
        await pilot.click(TensorGrid, offset=(2 + 3 * grid.cell_width + 1, 1 + 4))
        assert grid.cursor == (4, 3)
        await pilot.click(TensorGrid, offset=(10, 0))
        assert grid.cursor == (4, 3)


async def test_a_cursor_key_repaints_two_lines(monkeypatch):
    app = Host(torch.zeros(100, 50))
    async with app.run_test(size=(40, 30)) as pilot:
        grid = app.query_one(TensorGrid)
        grid.focus()
        await pilot.pause()
        rows, line = [], grid._line
        monkeypatch.setattr(
            grid, "_line", lambda row, *rest: (rows.append(row), line(row, *rest))[1]
        )
        await pilot.press("down")
        assert sorted(set(rows)) == [0, 1]


async def test_only_what_is_in_sight_is_read():
    """A tensor of 2^60 elements cannot be formatted, or even allocated, as a whole."""
    huge = torch.tensor(0.5).expand(1 << 30, 1 << 30)
    app = Host(huge)
    async with app.run_test(size=(60, 10)) as pilot:
        grid = app.query_one(TensorGrid)
        grid.focus()
        await pilot.press("ctrl+end")
        assert grid.cursor == ((1 << 30) - 1,) * 2
        assert "0.5000" in lines(grid)[-1]


def background(grid: TensorGrid, y: int, x: int) -> object:
    segment = next(iter(grid.render_line(y).crop(x, x + 1)))
    return segment.style and segment.style.bgcolor


async def test_the_heat_map_tells_signs_apart_and_can_be_switched_off():
    app = Host(torch.tensor([[0.0, 5.0, -5.0, 0.1]]))
    async with app.run_test(size=(60, 10)):
        grid = app.query_one(TensorGrid)
        cells = [2 + grid.cell_width * column for column in (1, 2, 3)]
        hot, cold, small = (background(grid, 1, x) for x in cells)
        assert len({hot, cold, small}) == 3
        grid.heated = False
        assert len({background(grid, 1, x) for x in cells}) == 1


async def test_without_colour_marks_tell_sign_and_size(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    row = (await painted(torch.tensor([0.0, 5.5, -5.5, 1.25])))[1]
    assert row.split() == ["0", "▲", "5.5000", "▼-5.5000", "▵", "1.2500"]


def test_marks_grow_with_the_level():
    up = [mark(level) for level in range(LEVELS + 1)]
    down = [mark(-level) for level in range(LEVELS + 1)]
    assert list(dict.fromkeys(up)) == [" ", "▵", "△", "▲"]
    assert list(dict.fromkeys(down)) == [" ", "▿", "▽", "▼"]


@pytest.mark.parametrize(
    ("selection", "text"),
    [
        (SELECT_ALL, "  0 1 2\n0 0 1 2\n1 3 4 5"),
        (Selection(Offset(2, 1), Offset(5, 1)), "0 1"),
        (Selection(Offset(4, 1), Offset(3, 2)), "1 2\n1 3"),
        (Selection(Offset(2, 2), None), "3 4 5"),
        (Selection(None, Offset(3, 1)), "  0 1 2\n0 0"),
    ],
)
async def test_the_mouse_copies_what_it_selects(selection, text):
    app = Host(torch.arange(6).reshape(2, 3))
    async with app.run_test(size=(40, 10)):
        found = app.query_one(TensorGrid).get_selection(selection)
        assert found == (text, "\n")


async def test_dragging_the_mouse_selects():
    app = Host(torch.arange(6).reshape(2, 3))
    async with app.run_test(size=(40, 10)) as pilot:
        await pilot.mouse_down(TensorGrid, offset=(2, 1))
        await pilot.hover(TensorGrid, offset=(4, 2))
        await pilot.mouse_up(TensorGrid, offset=(4, 2))
        text = app.screen.get_selected_text()
        assert text is not None
        assert text.splitlines()[0] == "0 1 2"
        assert text.splitlines()[1].startswith("1 3")


async def test_selecting_everything_of_a_large_tensor_is_bounded():
    app = Host(torch.zeros(50_000, 1000))
    async with app.run_test(size=(40, 10)):
        found = app.query_one(TensorGrid).get_selection(SELECT_ALL)
        assert found is not None
        assert 50 < found[0].count("\n") < 200
