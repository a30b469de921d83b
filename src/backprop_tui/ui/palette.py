"""The command palette's entries: every action that a key has here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider


class KeyCommands(Provider):
    """The live bindings of the screen and of the focused pane, by what they do."""

    def _actions(self) -> Iterator[tuple[str, str, Callable[[], Awaitable[bool]]]]:
        seen: set[str] = set()
        for node, binding, enabled, _ in self.screen.active_bindings.values():
            words = binding.tooltip or binding.description
            if binding.system or not enabled or not words or words in seen:
                continue
            seen.add(words)
            run = partial(self.app.run_action, binding.action, node)
            yield words, self.app.get_key_display(binding), run

    async def discover(self) -> Hits:
        for words, key, run in self._actions():
            yield DiscoveryHit(words, run, help=f"key {key}")

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for words, key, run in self._actions():
            if (score := matcher.match(words)) > 0:
                yield Hit(score, matcher.highlight(words), run, help=f"key {key}")
