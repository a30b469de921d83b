"""Two small questions: in which form to copy, and to which file to write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Label, OptionList
from textual.widgets.option_list import Option


class ChooseForm(ModalScreen[str | None]):
    """A list of forms; answers the chosen one's key."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "close", id="forms.close"),
    ]

    def __init__(self, name: str, forms: Mapping[str, str]) -> None:
        super().__init__()
        self._name, self._forms = name, forms

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield OptionList(*(Option(Content(label), id=k) for k, label in self._forms.items()))

    def on_mount(self) -> None:
        self.query_one(Vertical).border_title = f"copy {self._name} as"

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_id)


class AskPath(ModalScreen[str | None]):
    """A path to write to."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "close", id="path.close"),
    ]

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Label(
                f"{self._name}.npy writes {self._name} alone;\n"
                "all.npz, .safetensors or .pt every tensor computed so far",
                markup=False,
            )
            # Selected from the start: on focus would be after the first key that is typed ahead.
            field = Input(f"{self._name}.npy", select_on_focus=False)
            field.action_select_all()
            yield field

    def on_mount(self) -> None:
        self.query_one(Vertical).border_title = "write to a file"

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value.strip() or None)
