"""The screen as its users meet it: keys pressed through the pilot, on the real lesson."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from textual import events
from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from backprop_tui.errors import UserError
from backprop_tui.lessons.two_layer import Options, TwoLayer
from backprop_tui.ui.app import BackpropApp, PlainSettings
from backprop_tui.ui.debugger import Debugger
from backprop_tui.ui.dialogs.evaluate import EvaluateBar, EvaluateInput
from backprop_tui.ui.dialogs.help import describe, page
from backprop_tui.ui.inspector import Inspector
from backprop_tui.ui.panes.lines import LinePane
from backprop_tui.ui.panes.source import CodeView
from backprop_tui.ui.panes.status import StatusLine
from backprop_tui.ui.panes.steps import StepsPane
from backprop_tui.ui.panes.watches import WatchPane
from backprop_tui.ui.theme import DARK

WIDE = (120, 40)


class Screen:
    """The running app, with what a reader of the screen would ask."""

    def __init__(self, app: BackpropApp, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    @property
    def debugger(self) -> Debugger:
        return next(s for s in self.app.screen_stack if isinstance(s, Debugger))

    async def ready(self) -> None:
        """Wait until the first step is shown."""
        while not isinstance(self.app.screen, Debugger) or self.app.screen.trace is None:
            await self.pilot.pause(0.01)
        await self.pilot.pause()

    @property
    def place(self) -> tuple[int, int]:
        return self.debugger.place.iteration, self.debugger.place.step

    @property
    def name(self) -> str:
        """The label of the current step."""
        assert self.debugger.trace is not None
        return self.debugger.trace.steps[self.debugger.cursor].label

    async def press(self, *keys: str) -> None:
        """Press keys, and wait for whatever they set off."""
        for key in keys:
            await self.pilot.press(key)
            await self.app.workers.wait_for_complete()
            await self.pilot.pause()

    async def type(self, text: str) -> None:
        """Set the focused input's text."""
        focused = self.app.focused
        assert isinstance(focused, Input)
        focused.value = text
        focused.cursor_position = len(text)
        await self.pilot.pause()

    def lines(self, pane: str) -> list[str]:
        """What a pane shows, line by line."""
        widget = self.debugger.query_one(f"#{pane}", LinePane)
        return [widget.render_line(y).text.rstrip() for y in range(widget.size.height)]

    def status(self) -> str:
        return self.debugger.query_one(StatusLine).render().plain

    def title(self) -> str:
        """The inspector's frame: what is inspected."""
        return str(self.debugger.query_one("#inspector").border_title)

    def messages(self) -> list[str]:
        return [str(n.message) for n in self.app._notifications]


@asynccontextmanager
async def opened(
    size: tuple[int, int] = WIDE, settings: PlainSettings | None = None, **options: Any
) -> AsyncIterator[Screen]:
    app = BackpropApp(
        lambda: TwoLayer(Options(**options)), "two-layer", settings or PlainSettings()
    )
    async with app.run_test(size=size) as pilot:
        screen = Screen(app, pilot)
        await screen.ready()
        yield screen


# Moving.


async def test_stepping_goes_line_by_line_and_back() -> None:
    async with opened() as screen:
        assert screen.name == "x1"
        await screen.press("s", "s", "s")
        assert screen.name == "x4"
        await screen.press("S")
        assert screen.name == "x3"


async def test_hints_do_not_pile_up() -> None:
    async with opened() as screen:
        for label in ('grad["a"] is early', "so is [b]", "a file is written"):
            screen.debugger.notify(label, timeout=2 if label != "a file is written" else 8)
            await screen.pilot.pause()
            assert screen.messages() == [label]
        screen.debugger.notify("and then", timeout=2)
        await screen.pilot.pause()
        assert screen.messages() == ["a file is written", "and then"]


async def test_ops_layers_and_phases() -> None:
    async with opened() as screen:
        await screen.press("n")
        assert screen.name == "x3"
        await screen.press("right_square_bracket")
        assert screen.name == "x5"
        await screen.press("N")
        assert screen.name == "x3"
        await screen.press("f")
        assert screen.name == "x6"
        await screen.press("f", "f")
        assert screen.name == "regx2"
        await screen.press("left_square_bracket")
        assert screen.name == "sum(rex2)"


async def test_in_backward_the_next_layer_is_the_one_before() -> None:
    async with opened() as screen:
        await screen.press("f", "f", "right_square_bracket", "right_square_bracket")
        layers = []
        for _ in range(3):
            trace = screen.debugger.trace
            assert trace is not None
            layers.append(trace.steps[screen.debugger.cursor].layer)
            await screen.press("right_square_bracket")
        assert layers == ["2", "1", "0"]


async def test_stepping_over_the_edge_goes_to_the_next_iteration_and_back() -> None:
    async with opened() as screen:
        await screen.press("end")
        last = screen.place[1]
        await screen.press("s")
        assert screen.place == (2, 0)
        await screen.press("S")
        assert screen.place == (1, last)


async def test_iterations_keep_the_step_and_end_at_both_ends() -> None:
    async with opened(iterations=3) as screen:
        await screen.press("s", "right_curly_bracket", "right_curly_bracket")
        assert screen.place == (3, 1)
        await screen.press("right_curly_bracket")
        assert screen.place == (3, 1)
        assert any("last iteration" in m for m in screen.messages())
        await screen.press("left_curly_bracket")
        assert screen.place == (2, 1)


async def test_going_far_and_back_is_exact() -> None:
    async with opened() as screen:
        await screen.press("end")
        assert screen.debugger.trace is not None
        before = [s.value for s in screen.debugger.trace.steps]
        await screen.press("g")
        await screen.type("iteration 120")
        await screen.press("enter")
        assert screen.place == (120, 0)
        await screen.press("u")
        assert screen.place == (1, len(before) - 1)
        assert all(
            torch.equal(a, b.value)
            for a, b in zip(before, screen.debugger.trace.steps, strict=True)
        )


async def test_escape_stops_a_long_run_where_it_is() -> None:
    async with opened() as screen:
        session: Any = screen.debugger.session
        train = session.train

        def train_and_interrupt(iteration: int) -> float:
            if iteration == 50:
                screen.app.call_from_thread(screen.debugger.action_interrupt)
            loss: float = train(iteration)
            return loss

        session.train = train_and_interrupt
        await screen.press("g")
        await screen.type("400")
        await screen.press("enter")
        assert screen.place == (51, 0)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("rex4", "rex4"),
        ("pgrad[2]", "rex4"),
        ("los", "re"),
        ("backward", "dloss"),
        ("sumrex", "sum(rex2)"),
    ],
)
async def test_go_to_anything_by_a_part_of_its_name(query: str, name: str) -> None:
    async with opened() as screen:
        await screen.press("g")
        await screen.type(query)
        await screen.press("enter")
        assert screen.name == name


async def test_what_is_typed_while_a_dialog_opens_goes_into_its_line() -> None:
    async with opened() as screen, asyncio.timeout(60):
        for key in ("g", *"rex4", "enter"):  # all before the first is looked at
            screen.app.post_message(events.Key(key, key if len(key) == 1 else None))
        await screen.press()
        while len(screen.app.screen_stack) > 2 or screen.name != "rex4":
            await screen.pilot.pause(0.01)
        for key in ("w", *"mine"):
            screen.app.post_message(events.Key(key, key))
        while not isinstance(screen.app.focused, Input) or screen.app.focused.value != "mine":
            await screen.pilot.pause(0.01)


async def test_go_to_a_given_tensor_shows_it() -> None:
    async with opened() as screen:
        await screen.press("g")
        await screen.type("P0")
        await screen.press("enter")
        assert "P0" in screen.title()


async def test_what_a_value_was_made_from_and_what_reads_it() -> None:
    async with opened() as screen:
        await screen.press("f", "f", "s", "s", "s", "s", "p")
        said = [str(option.prompt) for option in screen.app.screen.query_one(OptionList).options]
        assert said[0] == "made from" and any("rex4 = reᵀ · x4   5×4" in line for line in said)
        assert any(line.startswith("  x4 = x3 ∘ x2   2×4") for line in said)
        assert said[-1] == "read by nothing on this screen"
        await screen.press("up", "up", "enter")
        assert screen.name == "x4"
        await screen.press("p", "down", "down", "enter")
        assert screen.name == "rex4"


async def test_the_kin_of_a_given_tensor() -> None:
    async with opened() as screen:
        await screen.press("g")
        await screen.type("y")
        await screen.press("enter", "p")
        said = [str(option.prompt) for option in screen.app.screen.query_one(OptionList).options]
        assert said[0] == "made from nothing on this screen" and "y   2×5" in said[1]
        await screen.press("down", "enter")
        assert screen.name == "re"


async def test_the_first_fault_of_an_overflow() -> None:
    async with opened(lr=1e9) as screen:
        await screen.press("x")
        assert any("no fault in iteration 1" in m for m in screen.messages())
        await screen.press(*["right_curly_bracket"] * 4, "home", "x")
        assert screen.debugger.trace is not None
        value = screen.debugger.trace.steps[screen.debugger.cursor].value
        assert not value.isfinite().all()
        assert "inf in" in screen.status() or "NaN in" in screen.status()


async def test_keys_pressed_while_torch_is_imported_do_no_harm() -> None:
    pressed = threading.Event()

    def open_session() -> TwoLayer:
        pressed.wait()
        return TwoLayer(Options())

    app = BackpropApp(open_session, "two-layer", PlainSettings())
    async with app.run_test(size=WIDE) as pilot:
        await pilot.pause(0.2)
        await pilot.press("s", "n", "f", "c", "g", "y", "w", "r", "b", "x", "z", "z", "u", "W")
        pressed.set()
        screen = Screen(app, pilot)
        await screen.ready()
        assert screen.place == (1, 0)


# Breakpoints.


async def test_a_breakpoint_on_an_op_stops_there_in_every_iteration() -> None:
    async with opened() as screen:
        await screen.press("n", "b", "enter", "home", "c")
        assert screen.place == (1, 2)
        assert any("●" in line for line in screen.lines("steps"))
        await screen.press("c")
        assert screen.place == (2, 2)
        await screen.press("C")
        assert screen.place == (1, 2)
        await screen.press("b", "enter")
        assert not any("●" in line for line in screen.lines("steps"))


async def test_a_condition_on_the_loss_stops_where_it_becomes_true() -> None:
    async with opened() as screen:
        await screen.press("b")
        await screen.type("loss < 16")
        await screen.press("enter", "c")
        trace = screen.debugger.trace
        assert trace is not None and trace.loss < 16 and screen.name == "loss"
        assert screen.debugger.session is not None
        assert screen.debugger.session.losses[trace.iteration - 1] >= 16


async def test_a_condition_over_a_tensor_stops_at_its_line() -> None:
    async with opened() as screen:
        await screen.press("b")
        await screen.type("x3.sum() > 0")
        await screen.press("enter", "c")
        assert (screen.place[0], screen.name) == (1, "x3")


async def test_a_condition_that_is_none_is_refused_in_the_dialog() -> None:
    async with opened() as screen:
        await screen.press("b")
        await screen.type("loss <")
        await screen.press("enter")
        assert not screen.debugger.breakpoints.conditions
        await screen.press("escape", "c")
        assert any("no breakpoint" in m for m in screen.messages())


async def test_a_condition_that_raises_is_shown_and_not_fatal() -> None:
    async with opened() as screen:
        await screen.press("b")
        await screen.type("x1.nope")
        await screen.press("enter", "c", "s")
        assert screen.app.return_code is None
        assert screen.place[0] == 1


async def test_breakpoints_are_listed_and_removed() -> None:
    async with opened() as screen:
        await screen.press("b", "enter", "b")
        await screen.type("loss < 1")
        await screen.press("enter", "b")
        options = screen.app.screen.query_one(OptionList)
        assert options.option_count == 2
        await screen.press("down", "enter")
        assert not screen.debugger.breakpoints.groups
        assert screen.debugger.breakpoints.conditions


# Evaluating and watching.


async def evaluate(screen: Screen, source: str) -> None:
    await screen.press("colon")
    await screen.type(source)
    await screen.press("enter")


async def test_an_expression_is_shown_in_the_inspector() -> None:
    async with opened() as screen:
        await evaluate(screen, "x1 * 2")
        assert "x1 * 2" in screen.title()
        assert not screen.debugger.query_one(EvaluateBar).has_class("-open")


async def test_a_statement_binds_a_name_for_the_session() -> None:
    async with opened() as screen:
        await evaluate(screen, "mine = x1.sum().item()")
        await screen.press("right_curly_bracket")
        assert isinstance(screen.debugger.names()["mine"], float)
        await evaluate(screen, "mine + 1")
        assert screen.debugger.names()["_"] == screen.debugger.names()["mine"] + 1


async def test_an_error_is_shown_and_the_line_stays_open() -> None:
    async with opened() as screen:
        await evaluate(screen, "x1 @ nope")
        assert any("NameError" in line for line in screen.lines("words"))
        assert screen.debugger.query_one(EvaluateBar).has_class("-open")
        await screen.press("escape", "s")
        assert screen.name == "x2"


async def test_values_ahead_are_not_bound() -> None:
    async with opened() as screen:
        assert "x2" not in screen.debugger.names()
        await screen.press("s")
        assert "x2" in screen.debugger.names()


@pytest.mark.parametrize("line", ["evaluate", "filter"])
async def test_what_is_typed_before_a_line_knows_of_its_focus_stays(line: str) -> None:
    async with opened() as screen:
        getattr(screen.debugger, f"action_{line}")()
        field = screen.app.focused
        assert isinstance(field, Input)
        field.insert_text_at_cursor("1")
        await screen.press("0")
        assert field.value == "10"


async def test_history_and_completion() -> None:
    async with opened() as screen:
        await evaluate(screen, "x1 + 1")
        await evaluate(screen, "x1 + 2")
        await screen.press("colon", "up", "up")
        line = screen.debugger.query_one(EvaluateInput)
        assert line.value == "x1 + 1"
        await screen.press("down", "down")
        assert line.value == ""
        await screen.type("pgr")
        await screen.press("tab")
        assert line.value == "pgrad"


async def test_a_watch_is_worked_out_again_at_every_step() -> None:
    async with opened() as screen:
        await evaluate(screen, "x3.sum()")
        await screen.press("escape", "W")
        assert screen.lines("watches") == ["x3.sum() not yet"]
        await screen.press("s", "s")
        assert screen.lines("watches")[0].startswith("x3.sum() = ")
        screen.debugger.query_one(WatchPane).focus()
        await screen.press("D")
        assert not screen.debugger.query_one(WatchPane).display


# Taking out.


async def test_copy_takes_a_literal_of_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    copied = []

    def copy(app: object, text: str, name: str) -> str:
        copied.append(text)
        return "sent"

    monkeypatch.setattr("backprop_tui.ui.clipboard.copy", copy)
    async with opened() as screen:
        await screen.press("y", "Y", "down", "enter")
        assert screen.debugger.trace is not None
        value = screen.debugger.trace.steps[0].value
    scope: dict[str, Any] = {"torch": torch}
    exec(copied[0], scope)
    assert torch.equal(scope["x1"], value)
    assert len(copied) == 2 and copied[1] != copied[0]


async def test_the_op_under_the_cursor_as_a_capsule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with opened() as screen:
        await screen.press("t", "}", "f", "f", "s", "n", "t", "n", "t")
        assert [path.name for path in sorted(tmp_path.iterdir())] == [
            "capsule_linear.py",
            "capsule_linear_2.py",
            "capsule_mse_loss.py",
        ]
        assert any("capsule_mse_loss.py" in m for m in screen.messages())
        await screen.press("end", "t")
        assert any("no op with a gradient" in m for m in screen.messages())


async def test_write_one_tensor_or_all(tmp_path: Path) -> None:
    async with opened() as screen:
        await screen.press("s", "w")
        await screen.type(str(tmp_path / "x2.npy"))
        await screen.press("enter", "w")
        await screen.type(str(tmp_path / "all.pt"))
        await screen.press("enter", "w")
        await screen.type(str(tmp_path / "x2.bmp"))
        await screen.press("enter")
        assert any(".bmp" in m for m in screen.messages())
    assert (tmp_path / "x2.npy").exists()
    saved = torch.load(tmp_path / "all.pt", weights_only=True)
    assert {"x", "P0", "x1", "x2"} <= set(saved) and "x3" not in saved


async def test_the_repl_gets_the_names_and_gives_the_place_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from contextlib import nullcontext

    seen: dict[str, Any] = {}
    monkeypatch.setattr("backprop_tui.ui.terminal.outside", lambda app: nullcontext())
    monkeypatch.setattr("backprop_tui.repl.run_repl", lambda names, note: seen.update(names))
    async with opened() as screen:
        await screen.press("f", "f", "s", "s", "s", "s", "r")
        assert screen.name == "rex4"
    assert {"x", "P0", "x6", "re", "res", "rex4", "pgrad", "grad"} <= set(seen)


# The panes.


async def test_values_ahead_show_no_numbers() -> None:
    async with opened(size=(150, 60)) as screen:
        assert not any("0." in line for line in screen.lines("manual"))
        await screen.press("f", "f", "f")
        assert any("0." in line for line in screen.lines("manual"))


async def test_twins_stand_at_the_same_height_and_light_up_together() -> None:
    async with opened(size=(150, 60)) as screen:
        await screen.press("f", "f", "n", "n", "s", "s")
        assert screen.name == "rex4"
        manual, auto = screen.lines("manual"), screen.lines("autograd")
        line = next(i for i, text in enumerate(manual) if text.startswith("▌rex4"))
        assert auto[line].startswith("▌pgrad[2]")
        assert "✓ exact" in manual[line]
        assert manual[line + 1] == auto[line + 1] != ""


async def test_twins_stay_side_by_side_when_scrolled() -> None:
    async with opened(size=(120, 24)) as screen:
        await screen.press("end")
        manual, auto = screen.lines("manual"), screen.lines("autograd")
        line = next(i for i, text in enumerate(manual) if text.startswith("▌"))
        assert auto[line].startswith("▌")


async def test_the_current_line_is_always_in_sight() -> None:
    async with opened(size=(120, 24)) as screen:
        assert screen.debugger.trace is not None
        for step in screen.debugger.trace.steps:
            assert any("▶" in line for line in screen.lines("steps"))
            pane = "forward" if step.phase in ("forward", "loss") else "manual"
            assert any(line.startswith("▌") for line in screen.lines(pane)), step.label
            if step.line is not None:
                pointed = [t for t in screen.lines("code") if t.startswith("▶")]
                assert pointed and str(step.line.first) in pointed[0]
            await screen.press("s")


async def test_what_the_line_reads_is_marked() -> None:
    async with opened() as screen:
        await screen.press("n")
        assert any(line.startswith("▏x2") for line in screen.lines("forward"))
        assert not any(line.startswith("▏x1") for line in screen.lines("forward"))


async def test_selecting_a_row_inspects_it_and_stepping_follows_again() -> None:
    async with opened() as screen:
        await screen.press("n", "2", "k", "k")
        assert "x1" in screen.title()
        await screen.press("enter")
        assert screen.app.focused is not None
        assert Inspector in [type(w) for w in screen.app.focused.ancestors_with_self]
        await screen.press("1", "s")
        assert "x4" in screen.title()


async def test_parameters_unfold() -> None:
    async with opened(size=(150, 60)) as screen:
        before = screen.lines("forward")
        at = next(i for i, t in enumerate(before) if "P0" in t)
        assert "P1" in before[at + 1]
        await screen.press("2")
        await screen.pilot.click("#forward", offset=(3, at + 1))
        await screen.press("space")
        assert "P1" in screen.lines("forward")[at + 5]


async def test_folding_a_heading_keeps_the_place_in_sight() -> None:
    async with opened() as screen:
        await screen.press("s", "left")
        lines = screen.lines("steps")
        assert not any("x1 =" in line for line in lines)
        assert any("▶ 0 Linear" in line for line in lines)
        await screen.press("n")
        assert any("▶ x3" in line for line in screen.lines("steps"))


async def test_clicks_and_enter_go_to_a_step() -> None:
    async with opened() as screen:
        line = next(i for i, text in enumerate(screen.lines("steps")) if "x2 =" in text)
        await screen.pilot.click("#steps", offset=(8, line + 1))
        await screen.pilot.pause()
        assert screen.name == "x2"
        await screen.press("j", "j", "enter")
        assert screen.name == "x3"


async def test_the_status_says_where_we_are() -> None:
    async with opened(size=(150, 44)) as screen:
        await screen.press("end")
        for part in (
            "two-layer",
            "iteration 1/500",
            "update 4/4",
            "step 20/20",
            "loss 16.9",
            "exact",
        ):
            assert part in screen.status()


async def test_the_users_own_line_and_the_rule_are_shown() -> None:
    async with opened() as screen:
        pane = screen.debugger.query_one("#source")
        assert "linear" in str(pane.border_title)
        assert "self.model(self.x)" in str(pane.border_subtitle)
        assert any("@" in line for line in screen.lines("code"))


# Places, sizes, themes.


async def test_numbers_focus_panes_and_z_zooms() -> None:
    async with opened() as screen:
        for number, pane in enumerate(("steps", "forward", "manual", "autograd"), 1):
            await screen.press(str(number))
            assert screen.app.focused is screen.debugger.query_one(f"#{pane}")
        await screen.press("5")
        assert isinstance(screen.app.focused, CodeView)
        await screen.press("3", "z")
        assert screen.debugger.query_one("#manual").size.width > 100
        assert not screen.debugger.query_one("#forward").size
        await screen.press("z")
        assert screen.debugger.query_one("#forward").size


@pytest.mark.parametrize(
    "size", [(200, 60), (120, 40), (100, 30), (80, 24), (60, 12), (20, 5), (1, 1)]
)
async def test_every_size_shows_something_and_keeps_working(size: tuple[int, int]) -> None:
    async with opened(size=size) as screen:
        await screen.press(
            "s", "n", "f", "f", "f", "question_mark", "escape", "6", "5", "v", "z", "1"
        )
        await screen.press("home", "s")
        assert screen.name == "x2"


async def test_resizing_keeps_the_place() -> None:
    async with opened() as screen:
        await screen.press("f", "f", "n", "n", "s")
        here = screen.place
        for size in ((80, 24), (20, 5), (150, 44)):
            await screen.pilot.resize_terminal(*size)
            await screen.pilot.pause()
        assert screen.place == here
        assert any(line.startswith("▌") for line in screen.lines("manual"))


async def test_a_pane_that_comes_into_sight_shows_the_place() -> None:
    async with opened(size=(80, 24)) as screen:
        await screen.press("f", "f", "s", "s", "s", "s")
        await screen.pilot.resize_terminal(120, 40)
        await screen.pilot.pause()
        assert any(line.startswith("▶") for line in screen.lines("code"))


async def test_a_search_that_finds_nothing_says_so() -> None:
    async with opened() as screen:
        await screen.press("slash", "z", "z")
        assert any("Nothing is found" in line for line in screen.lines("steps"))
        await screen.press("escape")
        assert "Nothing is found" not in "".join(screen.lines("steps"))


async def test_a_small_screen_shows_the_pane_that_is_being_filled() -> None:
    async with opened(size=(80, 24)) as screen:
        assert screen.debugger.query_one("#forward").size
        await screen.press("f", "f", "s")
        assert screen.debugger.query_one("#manual").size
        assert not screen.debugger.query_one("#forward").size
        await screen.press("6", "s")
        assert screen.debugger.query_one("#inspector").size


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (20, 5)])
async def test_without_colour_signs_verdicts_and_places_have_glyphs(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with opened(size=size) as screen:
        await screen.press("f", "f", "n", "n", "question_mark", "escape")
        shown = screen.app.export_screenshot()
        assert "✓" in shown
        if size[0] > 20:
            assert all(glyph in shown for glyph in ("▶", "▌", "▏", "-3.3"))


async def test_a_step_lays_nothing_out_anew() -> None:
    async with opened() as screen:
        layouts: list[object] = []
        signal = screen.debugger.screen_layout_refresh_signal
        signal.subscribe(screen.debugger, layouts.append, immediate=True)
        await screen.press(*"sssnnffsS", "right_curly_bracket", "end", "left_square_bracket")
        assert layouts == []
        await screen.press("v")
        assert layouts


async def test_themes_go_round_and_are_remembered() -> None:
    settings = PlainSettings()
    async with opened(settings=settings) as screen:
        seen = []
        for _ in range(4):
            await screen.press("T")
            seen.append(screen.app.theme)
        assert len(set(seen)) == 4
        assert settings.theme == seen[-1] == "backprop-dark"


async def test_every_key_can_be_rebound_and_help_says_so() -> None:
    settings = PlainSettings()
    settings.keys = {"step.forward": "space"}
    async with opened(settings=settings) as screen:
        screen.debugger.query_one(StepsPane).blur()
        screen.debugger.set_focus(None)
        await screen.press("space")
        assert screen.name == "x2"
        await screen.press("s")
        assert screen.name == "x2"
        await screen.press("question_mark")
        text = help_text(screen)
        assert "space S" in text


def help_text(screen: Screen) -> str:
    """The page of help, as wide as it likes."""
    console = Console(width=300)
    with console.capture() as capture:
        console.print(page(describe(screen.debugger), DARK))
    return capture.get()


async def test_help_names_every_live_binding_of_the_screen() -> None:
    async with opened() as screen:
        keys = {
            binding.tooltip or binding.description
            for node, binding, _, _ in screen.debugger.active_bindings.values()
            if node is screen.debugger and binding.id
        }
        await screen.press("question_mark")
        text = help_text(screen)
        assert [words for words in keys if words not in text] == []
        assert "not the same function" in text


async def test_the_palette_offers_the_keys_actions() -> None:
    async with opened() as screen:
        await screen.press("ctrl+p")
        await screen.type("end of this phase")
        await screen.pilot.pause(0.5)
        await screen.press("enter")
        await screen.pilot.pause()
        assert screen.name == "x6"


# Ends.


def failing(error: Exception) -> Callable[[], Any]:
    def open_session() -> Any:
        raise error

    return open_session


async def test_a_users_error_leaves_with_code_2() -> None:
    error = UserError("x.npy holds no numbers: give a file with numbers")
    app = BackpropApp(failing(error), "two-layer", PlainSettings())
    async with app.run_test():
        while app.return_code is None:  # a pilot's pause waits for ever in an app that has left
            await asyncio.sleep(0.01)
    assert (app.return_code, app.user_error) == (2, error)


async def test_a_crash_leaves_with_code_1() -> None:
    app = BackpropApp(failing(ZeroDivisionError("boom")), "two-layer", PlainSettings())
    with pytest.raises(Exception, match="boom"):
        async with app.run_test() as pilot:
            await pilot.pause(0.2)
    assert app.return_code == 1


async def test_q_quits() -> None:
    async with opened() as screen:
        await screen.press("q")
        assert screen.app.return_code == 0
