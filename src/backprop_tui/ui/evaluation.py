"""Evaluating what the user types, as a REPL would, without ever raising."""

from __future__ import annotations

import ast
import contextlib
import io
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ASKS_FOR_ANY = {"dir", "eval", "exec", "globals", "locals", "vars"}

NOTHING = object()
"""The value of a statement; None is a value that can be typed."""


@dataclass(frozen=True)
class Outcome:
    """What came of it."""

    value: Any = NOTHING
    printed: str = ""
    error: str = ""
    bound: dict[str, Any] = field(default_factory=dict)
    """Names that were bound anew."""

    def text(self) -> str:
        """All of it as words, as a REPL prints them."""
        shown = "" if self.value is NOTHING or self.value is None else repr(self.value)
        return "\n".join(part for part in (self.printed.rstrip("\n"), shown, self.error) if part)


def evaluate(source: str, names: Mapping[str, Any]) -> Outcome:
    """Run `source` over `names`: the value is that of its last expression.

    Everything raised, an exit included, comes back as the outcome's error.
    """
    scope = {"__builtins__": __builtins__, **names}
    value: Any = NOTHING
    error = ""
    with io.StringIO() as out:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            try:
                value = _run(source, scope)
            except (Exception, SystemExit, KeyboardInterrupt) as raised:
                error = "".join(traceback.format_exception_only(raised)).rstrip()
        printed = out.getvalue()
    bound = {
        name: new
        for name, new in scope.items()
        if name != "__builtins__" and (name not in names or names[name] is not new)
    }
    return Outcome(value, printed, error, bound)


def mentioned(source: str) -> frozenset[str] | None:
    """The names that a source asks for; None where it may ask for any."""
    try:
        tree = ast.parse(source.strip())
    except (SyntaxError, ValueError):
        return frozenset()
    names = frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))
    return None if names & ASKS_FOR_ANY else names


def _run(source: str, scope: dict[str, Any]) -> Any:
    tree = ast.parse(source.strip(), "<:>")
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "<:>", "exec"), scope)
    if not isinstance(last, ast.Expr):
        return NOTHING
    return eval(compile(ast.Expression(last.value), "<:>", "eval"), scope)


def complete(text: str, names: Mapping[str, Any]) -> list[str]:
    """What the last word of `text` may go on to be: whole new texts, in order."""
    import rlcompleter  # here, for it loads a C library, which waits for those of `preload`

    start = len(text)
    while start and (text[start - 1].isalnum() or text[start - 1] in "_."):
        start -= 1
    word = text[start:]
    if not word:
        return []
    completer = rlcompleter.Completer(dict(names))
    words: list[str] = []
    while (found := completer.complete(word, len(words))) is not None:
        words.append(found.removesuffix("()"))
    return [text[:start] + w for w in dict.fromkeys(words)]
