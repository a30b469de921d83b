"""The bar that a scrolling pane draws for itself, and the mouse on it."""

from __future__ import annotations

from collections.abc import Hashable

import pytest
from rich.text import Text
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.pilot import Pilot

from backprop_tui.ui.panes.lines import LinePane


class Numbers(LinePane):
    """So many lines, each its own number."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def line_count(self) -> int:
        return self.count

    def line_key(self, line: int) -> Hashable:
        return line

    def line_text(self, line: int, width: int) -> Text:
        return Text(str(line))


class Host(App[None]):
    def __init__(self, count: int) -> None:
        super().__init__()
        self.pane = Numbers(count)

    def compose(self) -> ComposeResult:
        yield self.pane


def bar(pane: LinePane) -> str:
    """The last column, from the top down."""
    return "".join(pane.render_line(y).text[-1] for y in range(pane.size.height))


@pytest.mark.parametrize(
    ("top", "seen"),
    [(0, "▐▐        "), (20, "    ▐▐    "), (40, "        ▐▐")],
)
async def test_the_thumb_says_where_one_is(top: int, seen: str) -> None:
    app = Host(50)
    async with app.run_test(size=(20, 10)):
        app.pane.scroll_to(y=top, animate=False)
        assert bar(app.pane) == seen
        assert app.pane.render_line(0).text.startswith(str(top))


async def test_there_is_no_bar_where_everything_is_in_sight() -> None:
    app = Host(10)
    async with app.run_test(size=(20, 10)):
        assert bar(app.pane) == " " * 10


async def test_the_end_comes_nearer_with_fewer_lines() -> None:
    app = Host(50)
    async with app.run_test(size=(20, 10)):
        app.pane.scroll_to(y=40, animate=False)
        app.pane.count = 15
        app.pane.forget()
        assert app.pane.scroll_offset.y == 5
        assert bar(app.pane).rstrip().endswith("▐")


async def test_the_thumb_is_dragged() -> None:
    app = Host(50)
    async with app.run_test(size=(20, 10)) as pilot:
        await pilot.mouse_down(app.pane, offset=(19, 9))
        assert app.pane.scroll_offset.y == 40
        await drag(pilot, 19, 0)
        assert app.pane.scroll_offset.y == 0
        await pilot.mouse_up(app.pane, offset=(19, 0))
        await drag(pilot, 19, 9)
        assert app.pane.scroll_offset.y == 0


async def drag(pilot: Pilot[None], x: int, y: int) -> None:
    await pilot.hover(offset=(x, y))
    await pilot.pause()


async def test_a_click_beside_the_bar_drags_nothing() -> None:
    app = Host(50)
    async with app.run_test(size=(20, 10)) as pilot:
        await pilot.mouse_down(app.pane, offset=(5, 9))
        assert app.pane.scroll_offset.y == 0


async def test_lines_that_are_gone_leave_nothing_behind_even_after_a_resize() -> None:
    app = Host(8)
    async with app.run_test(size=(20, 10)) as pilot:
        await pilot.resize_terminal(20, 12)
        app.pane.count = 3
        app.pane.measure()
        app.pane.repaint()
        await pilot.pause()
        seen = [strip.text.strip() for strip in app.pane.render_lines(Region(0, 0, 20, 12))]
        assert seen == ["0", "1", "2", *[""] * 9]
