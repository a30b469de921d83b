"""A tape on the screen: its tree, the check beside it, ops from within, and searching."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import torch
from textual.widgets import Static
from torch import nn

import backprop_tui as bp
from backprop_tui import judge, wording
from backprop_tui.overview import TapeSession
from backprop_tui.steps import Trace
from backprop_tui.ui import debugger
from backprop_tui.ui.app import BackpropApp, PlainSettings
from backprop_tui.ui.panes.source import CodeView
from backprop_tui.ui.panes.steps import StepsPane
from backprop_tui.ui.travel import prepare

from ..models import GPT
from .test_screen import WIDE, Screen


def gpt() -> bp.Tape:
    torch.manual_seed(0)
    model, ids = GPT(), torch.randint(50, (2, 17))
    with bp.record(model) as tape:
        model.loss(ids).backward()
    return tape


@pytest.fixture(scope="module")
def tape() -> bp.Tape:
    return gpt()


@asynccontextmanager
async def shown(session: TapeSession, checked: bool = True) -> AsyncIterator[Screen]:
    app = BackpropApp(lambda: session, "tape", PlainSettings())
    async with app.run_test(size=WIDE) as pilot:
        screen = Screen(app, pilot)
        await screen.ready()
        if checked:
            await app.workers.wait_for_complete()
            await pilot.pause()
        yield screen


def trace_of(screen: Screen) -> Trace:
    assert screen.debugger.trace is not None
    return screen.debugger.trace


def steps(screen: Screen) -> list[str]:
    return [line.strip(" ●▐") for line in screen.lines("steps")]


async def test_modules_are_headings_under_headings(tape: bp.Tape) -> None:
    async with shown(TapeSession.of(tape)) as screen:
        lines = screen.lines("steps")
        assert " ▾ blocks Sequential" in lines
        assert "  ▾ 0 Block" in lines
        assert "   ▾ norm1 LayerNorm" in lines


def test_a_tape_is_made_ready_without_a_word_about_its_ops(
    tape: bp.Tape, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(*_: object) -> str:
        raise AssertionError("nobody has looked at this op")

    monkeypatch.setattr(wording, "call", said)
    monkeypatch.setattr(wording, "shape_text", said)
    monkeypatch.setattr(judge, "differences", said)
    session = TapeSession.of(tape)
    prepare(session.trace(1))
    prepare(session.judge(1))
    with pytest.raises(AssertionError, match="nobody"):
        _ = session.trace(1).steps[0].formula


async def test_a_composite_is_a_heading_over_its_ops() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 8, dropout=0.0, batch_first=True)
    with bp.record(layer) as tape:
        layer(torch.randn(1, 3, 8)).sum().backward()
    async with shown(TapeSession.of(tape)) as screen:
        lines = screen.lines("steps")
        call = next(i for i, line in enumerate(lines) if "multi_head_attention_forward" in line)
        assert "self_attn MultiheadAttention" in lines[call - 2]
        assert "linear(" in lines[call + 1]


async def test_folding_all_and_a_heading_says_the_worst_below_it(tape: bp.Tape) -> None:
    async with shown(TapeSession.of(tape)) as screen:
        await screen.press("end", "minus")
        lines = steps(screen)
        assert any(line.startswith("▸ norm LayerNorm") and "≈" in line for line in lines)
        assert not any("layer_norm" in line for line in lines)
        assert screen.debugger.query_one(StepsPane).folded
        await screen.press("plus")
        assert any("layer_norm′" in line for line in steps(screen))


@pytest.mark.parametrize("most", [2, 1000])
async def test_only_folds_made_by_hand_are_remembered(
    tape: bp.Tape, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(debugger, "FOLDS", most)
    settings = PlainSettings()
    app = BackpropApp(lambda: TapeSession.of(tape), "tape", settings)
    async with app.run_test(size=WIDE) as pilot:
        screen = Screen(app, pilot)
        await screen.ready()
        await screen.press("minus")
        assert len(screen.debugger.query_one(StepsPane).folded) > 2
    assert ("folded" in settings.state) == (most == 1000)


async def test_an_op_as_a_capsule_from_outside_and_inside(
    tape: bp.Tape, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with shown(TapeSession.of(tape)) as screen:
        await screen.press("f", "f", "s", "s", "t", "i", "s", "t")
        names = sorted(path.name for path in tmp_path.glob("*.py"))
        assert names == ["capsule_cross_entropy.py", "capsule_cross_entropy_2.py"]


async def test_stepping_into_an_op_and_back_out_to_the_same_place(tape: bp.Tape) -> None:
    async with shown(TapeSession.of(tape)) as screen:
        await screen.press("f", "f", "s", "s")
        assert screen.name == "dx50"
        await screen.press("i")
        assert trace_of(screen).title == "tape › cross_entropy"
        assert "cross_entropy" in screen.status()
        phases = []
        for _ in range(3):
            phases.append(trace_of(screen).steps[screen.debugger.cursor].phase)
            await screen.press("s")
        assert phases == ["backward"] * 3
        await screen.press("I")
        assert screen.name == "dx50" and trace_of(screen).title == "tape"
        await screen.press("u")
        assert trace_of(screen).title == "tape › cross_entropy"
        await screen.press("escape")
        assert screen.name == "dx50"


async def test_the_end_of_an_op_leads_back_out(tape: bp.Tape) -> None:
    async with shown(TapeSession.of(tape)) as screen:
        await screen.press("i", "end", "s")
        assert trace_of(screen).title == "tape" and screen.place == (1, 0)
        assert screen.debugger.inside is None


async def test_what_has_no_lines_says_so(tape: bp.Tape) -> None:
    async with shown(TapeSession.of(tape)) as screen:
        await screen.press("s", "i")
        assert any("arange has no rule" in m for m in screen.messages())


class Slow(TapeSession):
    """A session whose check waits after the first ops, as a large tape's takes its time."""

    def __init__(self, tape: bp.Tape) -> None:
        super().__init__("tape")
        self.add(tape, lambda judged: ())
        self.going_on = threading.Event()

    def judge(
        self, iteration: int, progress: Callable[[int, int], bool] = lambda done, total: True
    ) -> Trace:
        def report(done: int, total: int) -> bool:
            go = progress(done, total)
            while done >= 10 and go and not self.going_on.wait(0.01):
                go = progress(done, total)
            return go

        return super().judge(iteration, report)


@pytest.mark.parametrize("key", ["escape", "ctrl+c"])
async def test_a_check_runs_beside_the_screen_is_stopped_and_goes_on(
    tape: bp.Tape, key: str
) -> None:
    session = Slow(tape)
    async with shown(session, checked=False) as screen:
        await screen.pilot.press("s", "s")
        await screen.pilot.pause(0.1)
        assert screen.place == (1, 2)
        assert "checking" in screen.status()
        await screen.press(key)
        assert "J goes on" in screen.status()
        assert 0 < trace_of(screen).pending < len(tape.ops)
        assert screen.place == (1, 2)
        session.going_on.set()
        await screen.press("J")
        assert trace_of(screen).pending == 0
        assert "J" not in screen.status() and screen.place == (1, 2)


async def test_words_find_steps_while_they_are_typed(tape: bp.Tape) -> None:
    async with shown(TapeSession.of(tape)) as screen:
        await screen.press("slash", *"gelu")
        found = [line for line in steps(screen) if "gelu" in line]
        assert len(found) == 4 and not any("layer_norm(" in line for line in steps(screen))
        await screen.press("down", "enter")
        assert trace_of(screen).groups[trace_of(screen).steps[screen.place[1]].group].op == "gelu"
        first = screen.place[1]
        await screen.press("greater_than_sign")
        assert screen.place[1] > first
        await screen.press("less_than_sign")
        assert screen.place[1] == first
        await screen.press("escape")
        assert any("layer_norm(" in line for line in steps(screen))


async def test_a_verdict_and_a_health_are_words(tape: bp.Tape) -> None:
    async with shown(TapeSession.of(tape)) as screen:
        await screen.press("slash", *"rounding norm1")
        found = [line for line in steps(screen) if "=" in line]
        assert found and all("layer_norm′" in line for line in found)
        await screen.press("escape", "slash", *"nan")
        assert not any("=" in line for line in steps(screen))


async def test_a_forward_tape_says_what_it_lacks() -> None:
    with bp.record() as tape:
        torch.softmax(torch.ones(2) * 3, 0)
    async with shown(TapeSession.of(tape)) as screen:
        assert any("nothing was differentiated" in m for m in screen.messages())
        await screen.press("s", "s", "s")
        assert screen.place == (1, 2)


async def test_the_source_pane_shows_the_users_own_function_then_the_rule(tape: bp.Tape) -> None:
    async with shown(TapeSession.of(tape)) as screen:
        await screen.press("f", "f", "s", "s")
        code = screen.lines("code")
        assert any("def loss(self, ids" in line for line in code)
        assert any("▶" in line and "F.cross_entropy(" in line for line in code)
        await screen.press("i", "s")
        rule = screen.debugger.query_one(CodeView)
        assert "def class_entropy(" in rule._plain[0]


async def test_the_ledger_tells_the_uses_of_a_shared_weight_apart() -> None:
    async with shown(TapeSession.of(gpt())) as screen:
        await screen.press("G")
        said = str(screen.app.screen.query_one(Static).content)
        total, *uses = [line for line in said.splitlines() if line][:3]
        assert total.startswith("tokens.weight.grad")
        assert [line.split()[1] for line in uses] == ["embedding", "linear"]
        await screen.press("G")
        assert len(screen.app.screen_stack) == 2
