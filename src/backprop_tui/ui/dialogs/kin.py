"""What a value was made from, and what was made from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from .. import kin, render
from ..cursor import Place
from ..theme import palette_of

if TYPE_CHECKING:
    from ...steps import Trace

SHOWN = 200
"""So many readers of a value are listed: a parameter of a loop may have thousands."""


class Kin(ModalScreen[Place | str | None]):
    """The parents of a value, itself, and its children; answers where to go."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,p", "dismiss", "close", id="kin.close"),
    ]

    def __init__(self, trace: Trace, row: str, here: Place) -> None:
        super().__init__()
        self._trace, self._row, self._here = trace, row, here

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield OptionList(*self._options())

    def on_mount(self) -> None:
        box, options = self.query_one(Vertical), self.query_one(OptionList)
        box.border_title = "made from, read by"
        box.border_subtitle = "enter goes there, esc closes"
        self.set_focus(options)
        options.highlighted = options.get_option_index(self._row)

    def _options(self) -> Iterator[Option]:
        parents = kin.parents(self._trace, self._row)
        children = [f"step:{step}" for step in kin.children(self._trace, self._row)]
        yield from self._listed("made from", parents)
        yield Option(self._described(self._row), id=self._row)
        yield from self._listed("read by", children[:SHOWN])
        if len(children) > SHOWN:
            yield Option(f"  … {len(children) - SHOWN:,} more", disabled=True)

    def _listed(self, title: str, rows: Sequence[str]) -> Iterator[Option]:
        look = palette_of(self.app.theme, self.app.current_theme.dark)
        said = title if rows else f"{title} nothing on this screen"
        yield Option(Text(said, look.muted), disabled=True)
        for row in rows:
            yield Option(self._described(row, indent="  "), id=row)

    def _described(self, row: str, indent: str = "") -> Text:
        """Formula, shape, module and verdict."""
        look = palette_of(self.app.theme, self.app.current_theme.dark)
        kind, _, which = row.partition(":")
        if kind == "given":
            given = next(item for item in self._trace.given if item.name == which)
            return Text.assemble(
                f"{indent}{given.label}",
                (f"   {render.shape_of(given.value)}   {given.detail}".rstrip(), look.muted),
            )
        step = self._trace.steps[int(which)]
        group = self._trace.groups[step.group]
        twin = step.twin
        if kind == "twin" and twin is not None:
            said, value = f"{twin.label}   by autograd", twin.value
        else:
            said, value = step.formula, step.value
        place = f"   {render.shape_of(value)}   {step.layer}".rstrip()
        if group.source is not None:
            file, line = group.source
            place += f"   {file.rpartition('/')[2]}:{line}"
        out = Text.assemble(indent + said, (place, look.muted))
        if twin is not None:
            out.append("   ").append_text(render.badge(twin.verdict, look))
        return out

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        kind, _, which = (event.option_id or "").partition(":")
        at = int(which) if kind != "given" else -1
        self.dismiss(replace(self._here, step=at) if at >= 0 else event.option_id)
