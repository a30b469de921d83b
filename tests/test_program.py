"""The real program in a real terminal: keys pressed, the screen read."""

from __future__ import annotations

import shlex
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from backprop_tui.lessons.two_layer import Options, TwoLayer

from .tmux import Terminal

PROGRAM = (sys.executable, "-m", "backprop_tui")
READY = "step 1/20"
SLOW = 90.0  # a loaded machine imports torch slowly
REX4 = ("f", "f", "s", "s", "s", "s")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    folders = {
        "BACKPROP_TUI_CONFIG_DIR": str(tmp_path / "config"),
        "BACKPROP_TUI_STATE_DIR": str(tmp_path / "state"),
    }
    return {**folders, "COLORTERM": "truecolor", "BACKPROP_TUI_REPL": "python"}


@pytest.fixture(params=[(80, 24), (120, 40), (200, 60)], ids=lambda size: "×".join(map(str, size)))
def lesson(request: pytest.FixtureRequest, environment: dict[str, str]) -> Iterator[Terminal]:
    width, height = request.param
    with Terminal(width, height, PROGRAM, env=environment) as terminal:
        terminal.wait_for(READY, SLOW)
        yield terminal


def test_step_copy_evaluate_repl_and_quit(lesson: Terminal) -> None:
    lesson.press(*REX4)
    lesson.wait_for("▶ rex4 = reᵀ · x4")
    lesson.wait_for("✓ exact")
    # The clipboard holds a literal of the same bits.
    lesson.press("y")
    lesson.wait_for("copied rex4")
    scope: dict[str, torch.Tensor] = {}
    exec(f"import torch\n{lesson.tmux('show-buffer')}", scope)
    steps = {step.name: step.value for step in TwoLayer(Options()).trace(1).steps}
    assert torch.equal(scope["rex4"], steps["rex4"])
    # An expression over the names.
    lesson.press(":")
    lesson.type("float(pgrad[2].sum()) + 1000")
    lesson.press("Enter")
    lesson.wait_for(f"{float(steps['rex4'].sum()) + 1000:.3f}"[:7])
    # A REPL with the names bound, its Ctrl-C its own, and back to the same step.
    lesson.press("r")
    lesson.wait_for(">>>", SLOW)
    lesson.press("C-c")
    lesson.type("print('equal:', torch.equal(re.T @ x4, pgrad[2]), tuple(x3.shape))")
    lesson.press("Enter")
    lesson.wait_for("equal: True (2, 4)", SLOW)
    lesson.press("C-d")
    lesson.wait_for("▶ rex4 = reᵀ · x4", SLOW)
    lesson.press("s")
    lesson.wait_for("▶ reP2 = re · P2")
    lesson.press("q")
    assert lesson.exit_code() == 0
    assert lesson.ask("#{alternate_on}#{mouse_any_flag}") == "00"


def test_what_is_typed_before_a_dialog_stands_is_not_lost(lesson: Terminal) -> None:
    lesson.press_at_once("g", *"rex4", "Enter")
    lesson.wait_for("▶ rex4 = reᵀ · x4")
    lesson.press_at_once("Y", "Down", "Enter")
    lesson.wait_for("copied rex4")
    assert "array(" in lesson.tmux("show-buffer")
    lesson.press_at_once("p", "Up", "Enter")
    lesson.wait_for("▶ re = 2·re·dloss")
    lesson.press_at_once("6", "i", *"1, 2", "Enter")
    lesson.wait_for("re[1, 2] = ")
    lesson.press_at_once("s", "s", ":", *"1000 + len(rex4)", "Enter")
    lesson.wait_for("1005")


def test_iterations_there_and_back(lesson: Terminal) -> None:
    lesson.press("}", "}")
    lesson.wait_for("3/500")
    lesson.press("{", "{")
    lesson.wait_for("1/500")
    lesson.press("f", "f")
    lesson.wait_for("16.9011")


def test_resizing_keeps_the_place(lesson: Terminal) -> None:
    lesson.press(*REX4)
    lesson.wait_for("▶ rex4 = reᵀ · x4")
    for size in ((20, 5), (100, 30), (150, 44)):
        lesson.resize(*size)
        lesson.wait_for("rex4")
    lesson.wait_for("▶ rex4 = reᵀ · x4")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_the_terminal_as_it_was(environment: dict[str, str], number: int) -> None:
    import os

    with Terminal(120, 40, PROGRAM, env=environment) as terminal:
        terminal.wait_for(READY, SLOW)
        os.kill(terminal.pid(), number)
        assert terminal.exit_code() == 128 + number
        assert terminal.ask("#{alternate_on}#{mouse_any_flag}") == "00"


def test_ctrl_z_and_fg(environment: dict[str, str]) -> None:
    command = shlex.join(PROGRAM)
    with Terminal(120, 40, "bash --norc --noprofile", env=environment) as terminal:
        terminal.type(command)
        terminal.press("Enter")
        terminal.wait_for(READY, SLOW)
        terminal.press("C-z")
        terminal.wait_for("Stopped")
        terminal.type("fg")
        terminal.press("Enter")
        terminal.wait_for("▶ x1 = x · P0ᵀ")


def test_bad_arguments_never_touch_the_screen(environment: dict[str, str]) -> None:
    with Terminal(80, 24, (*PROGRAM, "--n", "0"), env=environment) as terminal:
        assert terminal.exit_code() == 2
        assert "'0' is not a whole number of 1 or more" in terminal.screen()


def test_a_file_that_cannot_be_used_leaves_with_one_line(environment: dict[str, str]) -> None:
    with Terminal(80, 24, (*PROGRAM, "--x", "missing.npy"), env=environment) as terminal:
        assert terminal.exit_code(SLOW) == 2
        assert "missing.npy" in terminal.screen() and "Traceback" not in terminal.screen()


def test_overflow_is_flagged(environment: dict[str, str]) -> None:
    command = (*PROGRAM, "--lr", "1e9", "--iterations", "8")
    with Terminal(150, 44, command, env=environment) as terminal:
        terminal.wait_for(READY, SLOW)
        terminal.press(*(["}"] * 7), "End")
        terminal.wait_for("8/8")
        terminal.wait_for("NaN in", SLOW)
