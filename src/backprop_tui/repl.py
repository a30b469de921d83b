"""A REPL with every tensor bound by its on-screen name, in a child process.

A child and not `code.interact`, so that Ctrl-C, a crash or `os._exit` in it are its own.
The caller has to have left the screen first (`ui.terminal.outside`).
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from .errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

STDIN = 0  # the child inherits the file descriptor, whatever sys.stdin has become
ENVIRONMENT = "BACKPROP_TUI_REPL"
SHELLS = {
    "ipython": ["-m", "IPython", "--no-banner", "--no-confirm-exit", "-i"],
    "python": ["-q", "-i"],
}
PRELUDE = (
    "import backprop_tui._repl_child as child; globals().update(child.load({path!r})); del child"
)


def run_repl(namespace: Mapping[str, Any], note: str) -> int:
    """Talk to the user in a REPL with `namespace` and torch bound, until they leave it.

    Args:
        namespace: identifiers to tensors, numbers, strings, None, and lists, tuples and
            dicts of these. Tensors arrive detached, with their requires_grad. What cannot
            be handed over is named in the banner.
        note: where the user is, the banner's first line.

    Returns:
        The child's exit code, negative for a signal.

    Raises:
        UserError: if the environment asks for a REPL that is not there, or the temporary
            file cannot be written.
    """
    shell = _shell()
    values, lost = _portable_items(namespace)
    with _signals_held() as children, _private_folder() as folder, _terminal_kept():
        path = folder / "values.pt"
        _save(values, path)
        print(_banner(note, values, lost), flush=True)
        prelude = PRELUDE.format(path=str(path))
        children.append(subprocess.Popen([sys.executable, *SHELLS[shell], "-c", prelude]))
        return children[0].wait()


def _shell() -> str:
    """IPython where it is installed, unless the environment says otherwise."""
    wanted = os.environ.get(ENVIRONMENT, "")
    installed = importlib.util.find_spec("IPython") is not None
    if wanted and wanted not in SHELLS:
        raise UserError(f"{ENVIRONMENT}={wanted}: it can be {' or '.join(SHELLS)}")
    if wanted == "ipython" and not installed:
        raise UserError(f"{ENVIRONMENT}=ipython: install it, pip install 'backprop-tui[repl]'")
    return wanted or ("ipython" if installed else "python")


def _portable_items(namespace: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """What can be handed over, and the names of what cannot. The child has its own torch."""
    import torch

    values: dict[str, Any] = {}
    lost = []
    for name, value in namespace.items():
        if value is torch:
            continue
        try:
            values[name] = _portable(value)
        except (TypeError, RecursionError):
            lost.append(name)
    return values, lost


def _portable(value: Any) -> Any:
    """`value` in the types that `torch.load(weights_only=True)` accepts, else TypeError."""
    import torch

    if isinstance(value, torch.Tensor):
        return _snapshot(value)
    if value is None or type(value) in (bool, int, float, complex, str, torch.dtype):
        return value
    if type(value) in (list, tuple, torch.Size):
        return type(value)([_portable(item) for item in value])
    if isinstance(value, dict):
        return {_portable(key): _portable(item) for key, item in value.items()}
    raise TypeError(type(value))


def _snapshot(tensor: Tensor) -> Tensor:
    """The tensor as a plain leaf. One that views a larger storage must not drag it along."""
    import torch

    plain = tensor.detach()
    if type(plain) is not torch.Tensor or plain.layout != torch.strided or plain.is_quantized:
        raise TypeError(type(plain), plain.layout)
    if plain.untyped_storage().nbytes() > plain.numel() * plain.element_size():
        plain = plain.clone()
    return plain.requires_grad_(tensor.requires_grad)


def _save(values: dict[str, Any], path: Path) -> None:
    import torch

    path.touch(mode=0o600)
    try:
        with path.open("wb") as file:
            torch.save(values, file)
    except (OSError, RuntimeError) as error:
        raise UserError(f"no room for the REPL's values in {path.parent}: {error}") from error


def _banner(note: str, values: Mapping[str, Any], lost: list[str]) -> str:
    names = ", ".join([*values, "torch"])
    lines = [note, *textwrap.wrap(f"names: {names}", 78, subsequent_indent="       ")]
    if lost:
        lines += textwrap.wrap(f"not handed over: {', '.join(lost)}", 78)
    return "\n".join([*lines, "exit() or Ctrl-D goes back to the same place"])


@contextlib.contextmanager
def _terminal_kept() -> Iterator[None]:
    """Undo what a child that crashed did to the terminal's mode."""
    try:
        before = termios.tcgetattr(STDIN)
    except termios.error:
        yield
        return
    try:
        yield
    finally:
        with contextlib.suppress(termios.error):  # the terminal may be gone by now
            termios.tcsetattr(STDIN, termios.TCSADRAIN, before)


@contextlib.contextmanager
def _private_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="backprop-tui-repl-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _signals_held() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Leave the keyboard's signals to the child; hand a request to end on to it.

    Put the child into the list. The request is raised again here once all is tidy.
    """
    children: list[subprocess.Popen[bytes]] = []
    ending: list[int] = []

    def end(number: int, _: FrameType | None) -> None:
        ending.append(number)
        for child in children:
            child.terminate()

    def ignore(*_: object) -> None:
        # A function and not SIG_IGN, which the child would inherit.
        pass

    handlers: dict[signal.Signals, Callable[[int, FrameType | None], None]] = {
        signal.SIGINT: ignore,
        signal.SIGQUIT: ignore,
        signal.SIGTERM: end,
        signal.SIGHUP: end,
    }
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield children
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for request in ending:
            signal.raise_signal(request)
