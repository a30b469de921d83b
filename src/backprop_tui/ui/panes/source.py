"""The source pane: the rule's own lines with a pointer, and the derivation of the current one."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Hashable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from pygments.lexers.python import PythonLexer  # type: ignore[import-untyped]
from pygments.token import (  # type: ignore[import-untyped]
    Comment,
    Keyword,
    Number,
    String,
    _TokenType,
)
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from ..painted import TextLines, retitle
from ..theme import Palette
from .lines import LinePane

if TYPE_CHECKING:
    from ...steps import Group, Step


class Code(NamedTuple):
    """Where some lines stand."""

    file: str
    first: int
    last: int


class CodeView(LinePane):
    """The function that the current line belongs to."""

    HELP = (
        "The rule itself: the code that computes this gradient is the code you read. ▶ is the "
        "line that just ran; below it stand the same line in this network's names, its shapes, "
        "and PyTorch's own formula."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "sideways(-8)", "left", show=False, id="source.left"),
        Binding("right,l", "sideways(8)", "right", show=False, id="source.right"),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._first = 1
        self._lines: list[Text] = []
        self._pointed = range(0)
        self._shift = 0
        self._shown: tuple[str, int] = ("", 0)
        self._plain: list[str] = []

    def show(self, code: Code | None, plain: Sequence[str] = ()) -> None:
        """Point at lines of a file, in the function that they stand in; or show `plain` text."""
        self._pointed = range(code.first, code.last + 1) if code else range(0)
        first, last = function_at(code.file, code.first) if code else (1, len(plain))
        shown = (code.file if code else "\n".join(plain), first)
        if shown != self._shown:
            self._shown, self._first, self._shift = shown, first, 0
            lines = linecache.getlines(code.file)[first - 1 : last] if code else plain
            self._plain = [text.rstrip("\n") for text in lines]
            self._colour_in()
            self.measure()
            self.refresh()
        if code:
            self._reveal()
        self.repaint()

    def on_resize(self) -> None:
        super().on_resize()
        if self._pointed:
            self._reveal()

    def _reveal(self) -> None:
        """Bring the lines that are pointed at into sight."""
        first, last = self._pointed[0] - self._first, self._pointed[-1] - self._first
        self.reveal(first, last, margin=2)

    def forget(self) -> None:
        self._colour_in()
        super().forget()

    def _colour_in(self) -> None:
        self._lines = highlight(tuple(self._plain), self.palette) if self._plain else []

    def line_count(self) -> int:
        return len(self._plain)

    def line_key(self, line: int) -> Hashable:
        return line, self._first + line in self._pointed, self._shift, self._shown

    def line_text(self, line: int, width: int) -> Text:
        look, number = self.palette, self._first + line
        here = number in self._pointed
        code = self._lines[line][self._shift :]
        if not self._pointed:
            return Text(" ") + code
        out = Text.assemble(("▶" if number == self._pointed.start else " ", look.accent))
        out.append(f"{number:>4} ", look.accent if here else look.dim)
        out.append_text(Text(code.plain, f"bold {look.bright}") if here else code)
        return out

    def action_sideways(self, columns: int) -> None:
        """Scroll long lines sideways."""
        longest = max((len(text) for text in self._plain), default=0)
        self._shift = max(0, min(self._shift + columns, longest - 8))
        self.repaint()


class Derivation(TextLines):
    """Why the current line is as it is."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._shown: tuple[Step, Group] | None = None

    def show(self, step: Step, group: Group) -> None:
        """Show what there is to say about a step."""
        self._shown = step, group
        self.forget()

    def render(self) -> Text:
        return derivation(*self._shown, self.palette) if self._shown else Text()


class SourcePane(Vertical):
    """Code above, derivation below; the derivation is never scrolled away."""

    BORDER_TITLE = "5 source"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._code, self._derivation = CodeView(id="code"), Derivation(id="derivation")

    def compose(self) -> ComposeResult:
        yield self._code
        yield self._derivation

    def show(self, step: Step, group: Group) -> None:
        """Show the line that a step ran, and why."""
        where = f"{step.line.function} · {Path(step.line.file).name}" if step.line else group.title
        retitle(self, f"5 source · {where}", users_line(group))
        self._code.show(code_of(step, group), ["", step.formula])
        self._derivation.show(step, group)

    def point(self, file: str, line: int) -> None:
        """Show a line of the user's program, whatever the step."""
        retitle(self, f"5 source · {Path(file).name}:{line}", "")
        self._code.show(Code(file, line, line))

    def explain(self, text: str) -> None:
        """Show words in place of code."""
        self._code.show(None, text.splitlines())


def code_of(step: Step, group: Group) -> Code | None:
    """The rule's line that a step ran; the user's own, where an op is looked at from outside."""
    if step.line is not None:
        return Code(step.line.file, step.line.first, step.line.last)
    if not group.inner or group.source is None or not linecache.getline(*group.source):
        return None
    return Code(group.source[0], group.source[1], group.source[1])


def users_line(group: Group) -> str:
    """The line of the user's own program that called the op."""
    if group.source is None:
        return ""
    file, number = group.source
    return f"{Path(file).name}:{number}  {linecache.getline(file, number).strip()}"


def derivation(step: Step, group: Group, look: Palette) -> Text:
    """The current line in the screen's names, its shapes, what it means, PyTorch's formula."""
    out = Text()
    out.append(step.formula, f"bold {look.accent}")
    if step.algebra:
        out.append(f"   {step.algebra}", look.formula)
    used = {*step.line.reads, step.line.target} if step.line else set()
    bound = [f"{a} is {b}" for a, b in step.names.items() if a != b and a in used]
    if bound:
        out.append("\nhere " + ", ".join(bound), look.muted)
    if step.note:
        out.append(f"\n{step.note}", look.text)
    if group.formula:
        said = group.formula.replace("\n", " · ")
        out.append(f"\nPyTorch's {group.node}: {said}", look.muted)
    return out


@lru_cache(maxsize=256)
def function_at(file: str, line: int) -> tuple[int, int]:
    """First and last line of the outermost function around a line, its decorators left out."""
    source = linecache.getlines(file)
    try:
        pending: list[ast.stmt] = ast.parse("".join(source)).body
    except SyntaxError:
        return 1, len(source)
    for node in pending:
        first, last = node.lineno, node.end_lineno or node.lineno
        if first <= line <= last and isinstance(node, ast.FunctionDef):
            return first, last
        if first <= line <= last and isinstance(node, ast.ClassDef):
            pending += node.body  # a method is looked for after what stands beside its class
    return max(1, line - 10), min(len(source), line + 10)


@lru_cache(maxsize=256)
def highlight(lines: tuple[str, ...], look: Palette) -> list[Text]:
    """Python source in the palette's few colours: keywords, strings, numbers, comments."""
    text = Text("", look.text)
    for token, piece in PythonLexer(stripnl=False, ensurenl=False).get_tokens("\n".join(lines)):
        text.append(piece, _colour(token, look))
    return list(text.split("\n", allow_blank=True))[: len(lines)]


def _colour(token: _TokenType, look: Palette) -> str:
    if token in Comment or token in String.Doc:
        return look.muted
    if token in Keyword:
        return look.formula
    return look.good if token in String or token in Number else look.text
