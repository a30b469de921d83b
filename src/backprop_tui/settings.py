"""What the user sets in `config.toml`, and what the program remembers in `state.json`."""

from __future__ import annotations

import contextlib
import difflib
import json
import os
import re
import tempfile
import tomllib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import platformdirs

from .errors import UserError

APPLICATION = "backprop-tui"
ALLOWED = ("theme", "keys")


@dataclass
class Settings:
    """The settings of one run. A theme in the config file wins over a remembered one.

    Change `theme` and `state` freely, then `save`. `messages` says what could not be
    read or written, each thing once, for the app to show.
    """

    theme: str = ""
    keys: dict[str, str] = field(default_factory=dict)  # binding id -> "s,space"
    state: dict[str, Any] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    config_file: Path = field(default_factory=lambda: config_folder() / "config.toml")
    state_file: Path = field(default_factory=lambda: state_folder() / "state.json")
    _source: str = ""

    @classmethod
    def load(cls) -> Settings:
        """Read both files; either may be missing.

        Raises:
            UserError: a config file that cannot be used, with its line and what is allowed.
        """
        settings = cls()
        settings._read_state()
        settings._read_config()
        return settings

    def check_keys(self, known_ids: Collection[str]) -> None:
        """Raise UserError if the config file rebinds what is no action of the app."""
        for name in self.keys:
            if name not in known_ids:
                raise self._error(f"there is no action {name!r}{_meant(name, known_ids)}", name)

    def check_theme(self, known: Collection[str]) -> None:
        """Raise UserError if the config file names a theme that the app lacks."""
        wanted = tomllib.loads(self._source).get("theme", "")
        if wanted and wanted not in known:
            raise self._error(f"there is no theme {wanted!r}{_meant(wanted, known)}", "theme")

    def save(self) -> None:
        """Write the state, whole or not at all. Where that fails, a message says so once."""
        content = json.dumps({**self.state, "theme": self.theme}, indent=2) + "\n"
        try:
            self.state_file.parent.mkdir(parents=True, exist_ok=True)
            _write_whole(self.state_file, content)
        except OSError as error:
            self._tell(f"settings are not remembered: {self.state_file}: {error.strerror}")

    def _read_state(self) -> None:
        try:
            found = json.loads(self.state_file.read_text(encoding="utf-8"))
            if not isinstance(found, dict) or not isinstance(found.get("theme", ""), str):
                raise ValueError("not an object with a theme")
        except FileNotFoundError:
            return
        except OSError as error:
            self._tell(f"settings are not remembered: {self.state_file}: {error.strerror}")
        except (ValueError, RecursionError):
            self._set_aside()
        else:
            self.theme = found.pop("theme", "")
            self.state = found

    def _set_aside(self) -> None:
        bad = self.state_file.with_suffix(".bad")
        with contextlib.suppress(OSError):  # `save` will say that the folder is not writable
            self.state_file.replace(bad)
        self._tell(f"what was remembered could not be read and is set aside as {bad}")

    def _tell(self, message: str) -> None:
        if message not in self.messages:
            self.messages.append(message)

    def _read_config(self) -> None:
        try:
            self._source = self.config_file.read_text(encoding="utf-8")
            found = tomllib.loads(self._source)
        except FileNotFoundError:
            return
        except OSError as error:
            raise UserError(f"{self.config_file}: cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise UserError(f"{self.config_file}: save it in the UTF-8 encoding") from error
        except tomllib.TOMLDecodeError as error:
            raise UserError(f"{self.config_file}: not valid TOML: {error}") from error
        for name in found:
            if name not in ALLOWED:
                raise self._error(f"there is no setting {name!r}{_meant(name, ALLOWED)}", name)
        theme = found.get("theme", self.theme)
        if not isinstance(theme, str):
            raise self._error('a theme is a name, theme = "backprop-dark"', "theme")
        self.theme = theme
        self._take_keys(found.get("keys", {}))

    def _take_keys(self, table: Any) -> None:
        if not isinstance(table, dict):
            raise self._error('keys are a table, [keys], with lines like step = "s"', "keys")
        taken: dict[str, str] = {}
        for name, wanted in table.items():
            keys = _keys(wanted)
            if not keys:
                raise self._error('a key is a text like "s", or a list, ["s", "space"]', name)
            for key in keys:
                if key in taken:
                    raise self._error(f"the key {key!r} is also bound to {taken[key]!r}", name)
                taken[key] = name
            self.keys[name] = ",".join(keys)

    def _error(self, what: str, name: str) -> UserError:
        """An error about the entry `name`, with the line that it stands on."""
        pattern = re.compile(rf"""^\s*\[?\s*["']?{re.escape(name)}["']?\s*[\]=.]""")
        lines = enumerate(self._source.splitlines(), start=1)
        found = next((number for number, line in lines if pattern.match(line)), None)
        place = f"{self.config_file}, line {found}" if found else str(self.config_file)
        return UserError(f"{place}: {what}")


def config_folder() -> Path:
    """Where `config.toml` lies; BACKPROP_TUI_CONFIG_DIR overrides the system's place."""
    given = os.environ.get("BACKPROP_TUI_CONFIG_DIR")
    return Path(given) if given else platformdirs.user_config_path(APPLICATION)


def state_folder() -> Path:
    """Where `state.json` lies; BACKPROP_TUI_STATE_DIR overrides the system's place."""
    given = os.environ.get("BACKPROP_TUI_STATE_DIR")
    return Path(given) if given else platformdirs.user_state_path(APPLICATION)


def example_config(bindings: Iterable[tuple[str, str, str]]) -> str:
    """A config file with every setting at its default, commented out.

    Args:
        bindings: id, keys as Textual has them (`"s"`, `"s,space"`), and description.
    """
    entries = [(f"# {name} = {json.dumps(keys)}", text) for name, keys, text in bindings]
    width = max((len(entry) for entry, _ in entries), default=0)
    lines = [f"{entry:<{width}}  # {text}" for entry, text in entries]
    return "\n".join(['# theme = "backprop-dark"', "", "[keys]", *lines, ""])


def _keys(wanted: Any) -> list[str]:
    """The keys of an entry, `"s,space"` or `["s", "space"]`; none if it is neither."""
    if isinstance(wanted, list) and all(isinstance(key, str) for key in wanted):
        wanted = ",".join(wanted)
    if not isinstance(wanted, str):
        return []
    keys = [key.strip() for key in wanted.split(",")]
    return list(dict.fromkeys(keys)) if all(keys) else []


def _meant(name: str, known: Collection[str]) -> str:
    """What may have been meant, or else all that is allowed."""
    close = difflib.get_close_matches(name, known, n=1)
    return f": did you mean {close[0]!r}?" if close else f": choose from {', '.join(known)}"


def _write_whole(path: Path, content: str) -> None:
    descriptor, part = tempfile.mkstemp(dir=path.parent, prefix=".state-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
        Path(part).replace(path)
    finally:
        Path(part).unlink(missing_ok=True)
