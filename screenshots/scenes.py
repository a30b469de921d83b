"""Pictures of the real program: where they are taken, and how one is drawn.

`make.py` writes them; `tests/test_pictures.py` draws them again and compares.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from textual.pilot import Pilot
from textual.widgets import Input

from backprop_tui import Tape
from backprop_tui.lessons.two_layer import Options, TwoLayer
from backprop_tui.overview import TapeSession
from backprop_tui.session import Session
from backprop_tui.ui.app import BackpropApp, PlainSettings
from backprop_tui.ui.debugger import Debugger
from backprop_tui.ui.panes.lines import LinePane

from . import broken, gpt, insides, plateau

FOLDER = Path(__file__).parent

SMALL, MEDIUM, WIDE, LARGE = (80, 24), (120, 40), (150, 44), (200, 60)


@dataclass(frozen=True)
class Scene:
    """One picture.

    Attributes:
        name: of the files, without an ending.
        size: columns and rows.
        keys: what is pressed once the lesson is there, by Textual's names.
        caption: what one sees.
        options: of the lesson, where they differ from its own.
        tape: records a training step to show in place of the lesson, a model called `title`.
        theme: the program's own name of it.
    """

    name: str
    size: tuple[int, int]
    keys: Sequence[str]
    caption: str
    options: dict[str, Any] = field(default_factory=dict)
    theme: str = "backprop-dark"
    title: str = "two-layer ReLU net"
    tape: Callable[[], Tape] | None = None

    def session(self) -> Session:
        """What is debugged."""
        if self.tape is not None:
            return TapeSession.of(self.tape(), self.title)
        return TwoLayer(Options(**self.options))


# Inside the first op, at the start of its way back.
INSIDE = ("i", "f")

# Where rex4, the gradient of the second weight, has just been computed.
REX4 = ("f", "f", "s", "s", "s", "s")

SCENES = (
    Scene("backward", WIDE, REX4, "rex4 = reᵀ · x4, beside autograd's gradient of 2.weight"),
    Scene("start", MEDIUM, (), "the first line of the forward pass"),
    Scene("small", SMALL, REX4, "the same place at 80×24: panes become tabs"),
    Scene("large", LARGE, (*["}"] * 20, *REX4), "iteration 21 at 200×60, with its charts"),
    Scene("light", MEDIUM, REX4, "the light theme", theme="backprop-light"),
    Scene("help", MEDIUM, ("question_mark",), "help, made from the live bindings"),
    Scene("evaluate", MEDIUM, (*REX4, ":", *"rex4 - pgrad[2]"), "an expression over the names"),
    Scene(
        "update-first",
        MEDIUM,
        ("f", *REX4),
        "the article's order: gradients from the updated weights drift",
        options={"update_first": True},
    ),
    Scene(
        "findings",
        MEDIUM,
        ("x",),
        "your own model: an op whose derivative is wrong, and how it is wrong",
        title="net",
        tape=broken.tape,
    ),
    Scene(
        "hunt",
        WIDE,
        ("7", "enter"),
        "the culprit of examples/plateau.py: the finding, the op, and the line",
        title="plateau.py",
        tape=plateau.tape,
    ),
    Scene(
        "model",
        LARGE,
        ("f", "f", *["right_square_bracket"] * 9, "n", "n"),
        "a GPT of two blocks, on its way back through attention",
        title="GPT",
        tape=gpt.tape,
    ),
    Scene(
        "softmax",
        WIDE,
        ("i", *"sss"),
        "inside softmax: y · (dy − Σ dy·y), row by row",
        title="softmax",
        tape=insides.softmax,
    ),
    Scene(
        "layer-norm",
        WIDE,
        (*INSIDE, *"ssssssss"),
        "inside layer norm: the mean and the stretch are taken out of the cotangent",
        title="layer norm",
        tape=insides.layer_norm,
    ),
    Scene(
        "attention",
        WIDE,
        (*INSIDE, *"ssssss"),
        "inside causal attention: what is masked has weight 0 and receives nothing",
        title="attention",
        tape=insides.attention,
    ),
    Scene(
        "lstm-cell",
        WIDE,
        (*INSIDE, *"ssssssssss"),
        "inside an LSTM cell: from the state and the memory back through the four gates",
        title="LSTM cell",
        tape=insides.lstm_cell,
    ),
)


async def draw(scene: Scene) -> str:
    """The scene as SVG text, the same on every run."""
    app = BackpropApp(scene.session, scene.title, PlainSettings(scene.theme))
    async with app.run_test(size=scene.size) as pilot:
        await lesson(app, pilot)
        for key in scene.keys:
            await pilot.press(key)
            await app.workers.wait_for_complete()
            await pilot.pause()
        for line in app.screen.query(Input):
            line.cursor_blink = False
        return without_web_fonts(await settled(app, pilot))


async def settled(app: BackpropApp, pilot: Pilot[None]) -> str:
    """The screen as SVG, once it has been the same for three looks."""
    looks = [""]
    while len(looks) < 3 or len(set(looks[-3:])) > 1:
        await pilot.pause(0.05)
        looks.append(app.export_screenshot(title="backprop-tui"))
    return looks[-1]


async def lesson(app: BackpropApp, pilot: Pilot[None]) -> None:
    """Wait until the first step is on the screen."""
    while not (isinstance(app.screen, Debugger) and app.screen.trace):
        await asyncio.sleep(0.01)
    await app.workers.wait_for_complete()  # a tape is judged beside the screen
    await pilot.pause()
    # While the panes find their sizes, the first step may scroll them: begin at the top.
    for pane in app.screen.query(LinePane):
        pane.scroll_to(y=0, animate=False, force=True, immediate=True)
    app.screen.show(app.screen.trace, 0)
    await pilot.pause()


def without_web_fonts(svg: str) -> str:
    """A picture asks no other machine for its letters: Fira Code, or any monospace."""
    return re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)
