"""The app: themes, and a first frame that is painted before torch is imported."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from textual import events, work
from textual.app import App
from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.filter import ANSIToTruecolor, LineFilter
from textual.screen import Screen
from textual.theme import BUILTIN_THEMES
from textual.widgets import Input
from textual.worker import get_current_worker

from ..errors import UserError
from .opening import Opening
from .palette import KeyCommands
from .preload import preload
from .terminal import install_signals
from .theme import DARK, themes, variables

if TYPE_CHECKING:
    from textual.theme import Theme

    from ..session import Session
    from ..settings import Settings
    from ..steps import Trace
    from .debugger import Debugger


SHARE = 0.001
"""Seconds that a worker may keep the interpreter: a key asks for it several times, and Python's
own 5 ms each time are felt while a check runs."""


class Remembered(Protocol):
    """What the app asks of the settings."""

    theme: str
    keys: dict[str, str]
    state: dict[str, Any]
    messages: list[str]

    def save(self) -> None: ...


class BackpropApp(App[None]):
    """The debugger on a session that is still to be opened."""

    TITLE = "backprop-tui"
    COMMANDS = App.COMMANDS | {KeyCommands}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("T", "next_theme", "next theme", show=False, id="theme.next"),
        Binding("ctrl+z", "suspend_process", "stop; fg comes back", show=False, id="app.suspend"),
        Binding("ctrl+c", "help_quit", show=False, system=True),
    ]

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Without the one that replaces the terminal's own colours: we use none of them."""
        filters = super().get_line_filters()
        return [each for each in filters if not isinstance(each, ANSIToTruecolor)]

    def __init__(
        self,
        open_session: Callable[[], Session],
        title: str,
        settings: Remembered,
        intro: str = "",
    ) -> None:
        """Debug what `open_session` opens; it is called in a thread, after torch is imported.

        Args:
            title: shown from the first frame on.
            settings: theme, keys and view of the last time; saved when they change.
            intro: a few lines about what is going to be debugged, for the first frame.
        """
        super().__init__()
        self.user_error: UserError | None = None
        self._open_session = open_session
        self._settings = settings
        self._opening = title, intro
        self._debugger: Debugger | None = None
        self._built = threading.Event()
        self._told = 0
        for theme in themes():
            self.register_theme(theme)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return variables(DARK)

    def get_default_screen(self) -> Screen[None]:
        return Opening(*self._opening)

    def on_mount(self) -> None:
        preload()
        install_signals(self)
        settings = self._settings
        self.theme = settings.theme if settings.theme in self.available_themes else "backprop-dark"
        if settings.keys:
            self.set_keymap(settings.keys)
        self.theme_changed_signal.subscribe(self, self._theme_changed)
        self.screen.call_after_refresh(self._start)

    async def _start(self) -> None:
        """The first frame is painted: build the panes, while a thread imports torch."""
        self._load()
        self._debugger = self.make_debugger(*self._opening)
        await self.push_screen(self._debugger)
        folded = self._settings.state.get("folded", [])
        self._debugger.restore(folded, self._settings.state.get("charts") is True)
        self._debugger.waiting("importing torch…")
        self._built.set()
        self._tell_messages()

    def make_debugger(self, title: str, intro: str) -> Debugger:
        """The main screen."""
        from .debugger import Debugger

        return Debugger(title, intro)

    @work(thread=True)
    def _load(self) -> None:
        """Import torch and open the session; the screen stays alive meanwhile."""
        preload().join()
        import torch  # noqa: F401

        self._built.wait()
        from ..torch_formulas import formula_of
        from .travel import prepare

        if get_current_worker().is_cancelled:
            return
        try:
            session = self._open_session()
            trace = session.trace(session.begin)
            prepare(trace)
        except UserError as error:
            self.user_error = error
            self.call_from_thread(self.exit, None, 2)
            return
        # Torch's hundred thousands of objects live as long as we do, and so do those of a large
        # tape: without this the garbage collector, which `launch` turned off, looks through them
        # for 0.2 s at a time.
        gc.freeze()
        gc.enable()
        self.call_from_thread(self._opened, session, trace)
        formula_of("")  # nobody waits for PyTorch's formulas now, and the way back shows them

    def on_key(self, event: events.Key) -> None:
        """What is typed while a dialog opens went to the pane below: give it to the dialog's line.

        A line with the focus keeps what is typed into it, so nothing else comes this way.
        """
        if isinstance(self.focused, Input) and event.character and event.is_printable:
            event.prevent_default()
            self.focused.replace(event.character, *sorted(self.focused.selection))

    def on_unmount(self) -> None:
        self._built.set()  # whoever leaves before the panes are built lets the worker go

    def _opened(self, session: Session, trace: Trace) -> None:
        assert self._debugger is not None
        self._debugger.open(session, trace)

    # Settings.

    def _theme_changed(self, theme: Theme) -> None:
        self._settings.theme = theme.name
        self._save()

    def on_debugger_remember(self, message: Debugger.Remember) -> None:
        self._settings.state[message.key] = message.value
        self._save()

    def _save(self) -> None:
        self._settings.save()
        self._tell_messages()

    def _tell_messages(self) -> None:
        """Show what could not be read or written, each thing once."""
        for message in self._settings.messages[self._told :]:
            self.notify(message, severity="warning", timeout=8)
        self._told = len(self._settings.messages)

    def action_next_theme(self) -> None:
        """The next of our own themes."""
        names = [theme.name for theme in themes()]
        at = names.index(self.theme) if self.theme in names else -1
        self.theme = names[(at + 1) % len(names)]


def launch(open_session: Callable[[], Session], title: str = "", intro: str = "") -> int:
    """Run the app on the terminal until it is left.

    Returns:
        The exit code: 0, 1 after a crash, 128 + n after signal n.

    Raises:
        UserError: what `open_session` raised, once the terminal is back.
    """
    from ..settings import APPLICATION

    gc.disable()  # until torch is imported, which makes next to no garbage
    return run(lambda settings: BackpropApp(open_session, title or APPLICATION, settings, intro))


def run(make: Callable[[Settings], BackpropApp]) -> int:
    """Run an app, made for the user's settings, on the terminal until it is left; see `launch`."""
    from ..settings import Settings
    from .terminal import guard

    settings = Settings.load()
    if settings.keys:
        settings.check_keys(binding_ids())
    settings.check_theme([theme.name for theme in themes()] + list(BUILTIN_THEMES))
    interval = sys.getswitchinterval()
    sys.setswitchinterval(SHARE)
    try:
        with guard():
            app = make(settings)
            app.run()
    finally:
        sys.setswitchinterval(interval)
    if app.user_error is not None:
        raise app.user_error
    return app.return_code or 0


def binding_ids() -> set[str]:
    """The names of all actions that a key can be bound to."""
    from . import debugger, stopped  # noqa: F401 - imported for the keys that they bind
    from .dialogs import breakpoints, evaluate, forms, goto, help  # noqa: F401

    classes: list[type[DOMNode]] = [DOMNode]
    for node in classes:
        classes += node.__subclasses__()
    named = {
        b.id for node in classes for b in Binding.make_bindings(vars(node).get("BINDINGS", ()))
    }
    return {name for name in named if name}


class PlainSettings:
    """Settings that nothing remembers: for tests and pictures."""

    def __init__(self, theme: str = "backprop-dark") -> None:
        self.theme = theme
        self.keys: dict[str, str] = {}
        self.state: dict[str, Any] = {}
        self.messages: list[str] = []

    def save(self) -> None:
        """Keep nothing."""
