"""The user's program, run as Python itself would run it."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, TracebackType
from typing import Any

from .errors import UserError

_OURS = str(Path(__file__).parent)


@dataclass(frozen=True)
class Ending:
    """How a program ended.

    Attributes:
        code: the exit code that Python would have answered.
        error: the exception that nobody caught, None for an end or an exit.
        result: what a function returned.
    """

    code: int
    error: BaseException | None = None
    result: Any = None


class Program:
    """A script, a module (``python -m``) or a function (``package.module:function``).

    Args:
        target: a path, or the name of a module, or of a function in one.
        arguments: what `sys.argv` has after its first entry.
        module: whether `target` names a module.

    Raises:
        UserError: if there is no such program.
    """

    def __init__(self, target: str, arguments: Sequence[str] = (), module: bool = False) -> None:
        self.target, self.arguments = target, list(arguments)
        self._run: Callable[[], Any]
        self._file = ""  # sys.argv[0]
        self._folder = Path()  # sys.path[0]
        if module:
            self._run = self._as_module(target)
        elif ":" in target and not Path(target).exists():
            self._run = self._as_function(*target.rsplit(":", 1))
        else:
            self._run = self._as_script(Path(target))

    @property
    def name(self) -> str:
        """What it is called on the screen."""
        return self.target if ":" in self.target else Path(self.target).name

    @property
    def key(self) -> str:
        """What tells it from all others."""
        return self.target if ":" in self.target else str(Path(self._file).resolve())

    def run(self, finish: Callable[[], None] = lambda: None) -> Ending:
        """Run it to its end; an exception that it raises is in the answer, not raised.

        `sys.argv`, `sys.path[0]` and ``__main__`` are the program's from here on.

        Args:
            finish: called at the end, as if the program did it itself.
        """
        sys.argv = [self._file, *self.arguments]
        sys.path[0] = str(self._folder)
        try:
            result = self._run()
            finish()
            return Ending(0, result=result)
        except SystemExit as exit:
            return _exited(exit)
        except BaseException as error:
            error.__traceback__ = _theirs(error.__traceback__)
            return Ending(130 if isinstance(error, KeyboardInterrupt) else 1, error)
        finally:
            _flush()

    def _as_script(self, path: Path) -> Callable[[], None]:
        if path.is_dir():
            path = path / "__main__.py"
        try:
            source = path.read_bytes()
        except OSError as error:
            raise UserError(f"cannot read the script {path}: {error.strerror}") from error
        self._file, self._folder = str(path), path.resolve().parent
        return lambda: _execute(compile(source, str(path), "exec"), str(path), None)

    def _as_module(self, name: str) -> Callable[[], None]:
        spec = self._spec(name)
        if spec.submodule_search_locations is not None:
            spec = self._spec(f"{name}.__main__")
        get_code = getattr(spec.loader, "get_code", None)
        code = get_code(spec.name) if get_code else None
        if not isinstance(code, CodeType):
            raise UserError(f"the module {name} has no code to run")
        self._file = spec.origin or name
        return lambda: _execute(code, self._file, spec)

    def _as_function(self, module: str, name: str) -> Callable[[], Any]:
        self._spec(module)
        self._file = self.target

        def call() -> Any:
            function = getattr(importlib.import_module(module), name, None)
            if not callable(function):
                raise UserError(f"{module} has no function {name}")
            return function()

        return call

    def _spec(self, name: str) -> Any:
        """Where a module is, looked for from the working directory first."""
        self._folder = Path.cwd()
        before = sys.path[0]
        sys.path[0] = str(self._folder)
        try:
            spec = importlib.util.find_spec(name)
        except (ImportError, ValueError) as error:
            raise UserError(f"no module is called {name}: {error}") from error
        finally:
            sys.path[0] = before
        if spec is None:
            raise UserError(f"no module is called {name}")
        return spec


def _execute(code: CodeType, file: str, spec: Any) -> None:
    """Run code as ``__main__``, which stays, for what the program does at exit."""
    main = types.ModuleType("__main__")
    vars(main).update(
        __file__=file,
        __builtins__=__builtins__,
        __spec__=spec,
        __package__=spec.parent if spec else None,
        __loader__=spec.loader if spec else None,
        __cached__=None,
    )
    sys.modules["__main__"] = main
    exec(code, vars(main))


def _exited(exit: SystemExit) -> Ending:
    """Python's own reading of ``sys.exit(code)``."""
    if exit.code is None:
        return Ending(0)
    if isinstance(exit.code, int):
        return Ending(exit.code)
    print(exit.code, file=sys.stderr)
    return Ending(1)


def _theirs(where: TracebackType | None) -> TracebackType | None:
    """A traceback without our own frames at its beginning."""
    ours = (__file__, importlib.__file__)
    while where is not None and where.tb_frame.f_code.co_filename in ours:
        where = where.tb_next
    return where


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # closed by the program, or by its reader
            continue


def show(error: BaseException) -> None:
    """Print an exception that nobody caught, as the program's own hook does it."""
    hook = sys.excepthook
    if hook is sys.__excepthook__:
        print(told(error), end="", file=sys.stderr)
    else:
        hook(type(error), error, error.__traceback__)


def told(error: BaseException) -> str:
    """An exception with its traceback, without the frames of the debugger."""
    told = traceback.TracebackException.from_exception(error)
    chain: list[traceback.TracebackException | None] = [told]
    for each in chain:
        if each is not None:
            frames = [frame for frame in each.stack if not frame.filename.startswith(_OURS)]
            each.stack = traceback.StackSummary.from_list(frames)
            chain += [each.__cause__, each.__context__]
    return "".join(told.format())
