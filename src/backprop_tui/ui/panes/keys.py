"""The last line: the keys that work here, taken from the live bindings; a click presses one."""

from __future__ import annotations

from dataclasses import dataclass

from rich.text import Text
from textual import events
from textual.screen import Screen

from ..painted import TextLine


@dataclass
class Item:
    """Keys of one meaning, ``s/S line``."""

    keys: list[tuple[str, str]]
    """What each is called, and what pressing it sends."""
    description: str

    @property
    def width(self) -> int:
        return sum(len(shown) + 1 for shown, _ in self.keys) + len(self.description) + 2


class KeyLine(TextLine):
    """As many of the shown bindings as fit, those of the focused pane first."""

    DEFAULT_CSS = "KeyLine { dock: bottom; background: $raised; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._items: list[Item] = []

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._collect)

    def _collect(self, screen: Screen[object]) -> None:
        items: dict[object, Item] = {}
        for _, binding, enabled, _ in screen.active_bindings.values():
            if not (binding.show and enabled and binding.description):
                continue
            group = binding.group or binding.action
            words = binding.group.description if binding.group else binding.description
            item = items.setdefault(group, Item([], words))
            shown = self.app.get_key_display(binding)
            if all(shown != other for other, _ in item.keys):
                item.keys.append((shown, binding.key))
        if list(items.values()) != self._items:
            self._items = list(items.values())
            self.refresh()

    def _fitting(self) -> list[Item]:
        """The items that fit; help and quit, the last two, always do."""
        room = self.size.width - 1
        last = self._items[-2:]
        room -= sum(i.width for i in last)
        out = []
        for item in self._items[:-2]:
            room -= item.width
            if room < 0:
                break
            out.append(item)
        return out + last

    def render(self) -> Text:
        look, out = self.palette, Text(" ")
        for item in self._fitting():
            out.append("/".join(shown for shown, _ in item.keys), f"bold {look.accent}")
            out.append(f" {item.description}  ", look.muted)
        return out

    def on_click(self, event: events.Click) -> None:
        at = 1
        for item in self._fitting():
            for shown, key in item.keys:
                at += len(shown) + 1
                if event.x < at:
                    self.app.simulate_key(key)
                    return
            at += len(item.description) + 2
            if event.x < at:
                self.app.simulate_key(item.keys[0][1])
                return
