"""`backprop-tui run`: a program under the debugger, from its start to its exit code.

Here the engine and the screen meet; nothing else imports both.
"""

from __future__ import annotations

import atexit
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from torch import nn

from .errors import UserError
from .overview import TapeSession
from .program import Program, show
from .progress import Progress
from .running import Answer, Running, Stop
from .scripted import did
from .settings import Settings
from .spots import Spot
from .stops import Stops, Until
from .ui.app import BackpropApp, run
from .ui.breakpoints import Breakpoints, Condition
from .ui.debugger import Debugger
from .ui.stopped import Stopped
from .ui.terminal import at_hand, within_a_program

_KEPT = 8
"""So many stops can be gone back to."""


class StoppedApp(BackpropApp):
    """The app for as long as a program stands still."""

    def __init__(self, session: TapeSession, settings: Settings, screen: Stopped) -> None:
        super().__init__(lambda: session, session.title, settings)
        self._screen = screen

    def make_debugger(self, title: str, intro: str) -> Debugger:
        return self._screen


class Display:
    """Shows the stops of one program, one after the other.

    Breakpoints and watches are remembered from one run of the program to the next.

    Args:
        name: what the program is called; `key` tells it from others, by its path.
        stops: where it stops; breakpoints set on the screen are added.
    """

    def __init__(self, name: str, key: str, stops: Stops) -> None:
        self._name, self._key, self._stops = name, key, stops
        self._until = tuple(stops.until)
        self._session = TapeSession(name)
        self._breakpoints = Breakpoints()
        self._watched: list[str] = []
        self._recall()
        self._set_stops()

    def __call__(self, stop: Stop) -> Answer:
        """Show a stop, and answer how the program is to go on."""
        self._session.title = f"{self._name} step {stop.number}"
        self._session.add(stop.tape, stop.examine, stop.number)
        self._session.keep(_KEPT)
        screen = Stopped(self._session.title, "", stop, self._breakpoints, self._watched)
        with within_a_program():
            code = run(lambda settings: StoppedApp(self._session, settings, screen))
        if screen.trace is not None:
            self._breakpoints.settle(screen.outside()[0])
        self._set_stops()
        self._remember()
        if code > 128:
            raise SystemExit(code)
        return Answer(screen.answer) if code == 0 else Answer.FINISH

    def _set_stops(self) -> None:
        conditions = [Until(condition.source) for condition in self._breakpoints.conditions]
        self._stops.until = [*self._until, *conditions]
        self._stops.spots = list(self._breakpoints.spots)

    def _recall(self) -> None:
        known = Settings.load().state.get("programs", {}).get(self._key, {})
        self._watched += known.get("watches", [])
        self._breakpoints.spots += [Spot(text) for text in known.get("spots", [])]
        for source in known.get("conditions", []):
            self._breakpoints.conditions.append(Condition.parse(source))

    def _remember(self) -> None:
        settings = Settings.load()
        programs = settings.state.setdefault("programs", {})
        programs[self._key] = {
            "watches": self._watched,
            "spots": [spot.text for spot in self._breakpoints.spots],
            "conditions": [condition.source for condition in self._breakpoints.conditions],
        }
        settings.save()


def inside(only: Sequence[str], skip: Sequence[str]) -> Callable[[str], bool] | None:
    """Whether to record what runs in a module: in one of `only`, and in none of `skip`."""

    def within(path: str, parts: Sequence[str]) -> bool:
        return any(path == part or path.startswith(f"{part}.") for part in parts)

    if not only and not skip:
        return None
    return lambda path: (not only or within(path, only)) and not within(path, skip)


def debug(
    program: Program,
    stops: Stops,
    at_backward: bool = False,
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
) -> int:
    """Run a program, showing it where it stops, and return its exit code.

    Raises:
        UserError: where there is no terminal, or a condition fails.
    """
    if not at_hand():
        raise UserError("there is no terminal to draw on: backprop-tui check says the same")
    display = Display(program.name, program.key, stops)
    options: dict[str, Any] = {"inside": inside(only, skip)}
    with Progress() as progress:

        def said(number: int, loss: float | None) -> None:
            progress.say(f"backprop-tui: step {number}" + (f" · loss {loss:.4g}" if loss else ""))

        def stop_at(stop: Stop) -> Answer:
            progress.clear()
            return display(stop)

        running = Running(stop_at, stops, at_backward, said, options)
        with closing(running.start()):
            ending = program.run(running.finish)
            if isinstance(ending.error, UserError):
                raise ending.error
            shown = ending.error is not None and running.fail(ending.error)
    if ending.error is not None:
        show(ending.error)
        if not shown and running.pace.stepper is None:
            print("backprop-tui: this step was not recorded: --record says which ones are")
        for finding in () if shown else running.explain(ending.error):
            print(f"backprop-tui: {finding}")
    elif not running.losses and (stepper := running.pace.stepper):
        print(f"backprop-tui: {program.name} never differentiated: {did(stepper.so_far())}")
    return ending.code


def watch_from_here(stops: Stops, model: nn.Module | None) -> Running:
    """Watch the program that is running, until it ends; see `api.watch`.

    Raises:
        UserError: where there is no terminal.
    """
    if not at_hand():
        raise UserError("there is no terminal to draw on: backprop-tui check says the same")
    program = Path(sys.argv[0] or "python")
    display = Display(program.name, str(program.resolve()), stops)
    running = Running(display, stops, options={"model": model})
    running.start()
    atexit.register(running.close)
    return running
