"""Settings: what is read, what is remembered, and one clear line for a bad file."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from backprop_tui.errors import UserError
from backprop_tui.settings import Settings, example_config


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BACKPROP_TUI_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("BACKPROP_TUI_STATE_DIR", str(tmp_path / "state"))
    (tmp_path / "config").mkdir()
    return tmp_path


def configure(home: Path, content: str) -> None:
    (home / "config" / "config.toml").write_text(content, encoding="utf-8")


def test_without_files_there_is_nothing_to_say() -> None:
    settings = Settings.load()
    assert (settings.theme, settings.keys, settings.state, settings.messages) == ("", {}, {}, [])


def test_the_places_are_the_systems_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BACKPROP_TUI_CONFIG_DIR")
    monkeypatch.delenv("BACKPROP_TUI_STATE_DIR")
    settings = Settings()
    assert settings.config_file.parts[-2:] == ("backprop-tui", "config.toml")
    assert settings.state_file.parts[-2:] == ("backprop-tui", "state.json")


def test_a_config_file_is_read(home: Path) -> None:
    configure(home, 'theme = "nord"\n[keys]\nstep = ["s", "space"]\nback = "S, u"\n')
    settings = Settings.load()
    assert settings.theme == "nord"
    assert settings.keys == {"step": "s,space", "back": "S,u"}
    settings.check_keys(["step", "back", "quit"])
    settings.check_theme(["nord"])


def test_what_is_saved_comes_back_and_leaves_no_other_file(home: Path) -> None:
    settings = Settings.load()
    settings.theme = "nord"
    settings.state["folded"] = [1, 2]
    settings.save()
    again = Settings.load()
    assert (again.theme, again.state, again.messages) == ("nord", {"folded": [1, 2]}, [])
    assert [path.name for path in (home / "state").iterdir()] == ["state.json"]


def test_a_theme_in_the_config_file_wins_over_a_remembered_one(home: Path) -> None:
    Settings(theme="remembered").save()
    assert Settings.load().theme == "remembered"
    configure(home, 'theme = "mine"')
    assert Settings.load().theme == "mine"


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        ("theme = \n", None, "not valid TOML: .*line 1"),
        ("\nthem = 'x'\n", 2, "no setting 'them': did you mean 'theme'"),
        ("zzz = 1\n", 1, "no setting 'zzz': choose from theme, keys"),
        ("\n\ntheme = 3\n", 3, "a theme is a name"),
        ("keys = 3\n", 1, r"keys are a table, \[keys\]"),
        ("[keys]\nstep = 3\n", 2, r'a key is a text like "s", or a list'),
        ("[keys]\nstep = ''\n", 2, "a key is a text"),
        ("[keys]\nstep = ['s', 1]\n", 2, "a key is a text"),
        ("[keys]\nstep = 's'\n\nback = 'u,s'\n", 4, "the key 's' is also bound to 'step'"),
    ],
)
def test_a_bad_config_file_is_one_clear_line(
    home: Path, content: str, line: int | None, message: str
) -> None:
    configure(home, content)
    with pytest.raises(UserError, match=message) as caught:
        Settings.load()
    place = f", line {line}: " if line else ": "
    assert str(caught.value).startswith(f"{home / 'config' / 'config.toml'}{place}")
    assert "\n" not in str(caught.value)


def test_a_config_file_in_another_encoding(home: Path) -> None:
    (home / "config" / "config.toml").write_bytes(b"theme = '\xff'")
    with pytest.raises(UserError, match="UTF-8"):
        Settings.load()


def test_a_config_file_that_is_a_folder(home: Path) -> None:
    (home / "config" / "config.toml").mkdir()
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        Settings.load()


def test_an_unknown_action_is_named_with_its_line_and_the_nearest_one(home: Path) -> None:
    configure(home, '[keys]\n"stepp" = "s"\n')
    with pytest.raises(UserError, match=r"line 2: .*'stepp': did you mean 'step'\?"):
        Settings.load().check_keys(["step", "back"])


def test_an_unknown_theme_is_an_error_only_in_the_config_file(home: Path) -> None:
    Settings(theme="gone").save()
    Settings.load().check_theme(["nord"])
    configure(home, 'theme = "gone"')
    with pytest.raises(UserError, match="line 1: there is no theme 'gone': choose from nord"):
        Settings.load().check_theme(["nord"])


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"theme": 3}', b"\xff", b"[" * 100_000])
def test_a_broken_state_is_set_aside(home: Path, content: bytes) -> None:
    (home / "state").mkdir()
    (home / "state" / "state.json").write_bytes(content)
    settings = Settings.load()
    assert (settings.theme, settings.state) == ("", {})
    assert len(settings.messages) == 1
    assert "state.bad" in settings.messages[0]
    assert (home / "state" / "state.bad").read_bytes() == content
    settings.save()
    assert Settings.load().messages == []


def test_a_folder_that_cannot_be_written_is_said_once(home: Path) -> None:
    (home / "state").write_text("a file where the folder should be")
    settings = Settings()
    settings.save()
    settings.save()
    (message,) = settings.messages
    assert message.startswith("settings are not remembered")


def test_a_failed_save_leaves_the_old_state(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Settings(theme="old").save()

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    settings = Settings(theme="new")
    settings.save()
    assert settings.messages[0].endswith("No space left on device")
    assert json.loads((home / "state" / "state.json").read_text())["theme"] == "old"
    assert len(list((home / "state").iterdir())) == 1


def test_the_example_is_a_config_file_once_uncommented(home: Path) -> None:
    bindings = [("step", "s", "step"), ("forward", "right_square_bracket,l", "next \\ layer")]
    example = example_config(bindings)
    assert tomllib.loads(example) == {"keys": {}}
    configure(home, example.replace("\n# ", "\n"))
    assert Settings.load().keys == {"step": "s", "forward": "right_square_bracket,l"}


def test_the_module_is_imported_without_torch_and_textual() -> None:
    code = (
        "import sys, backprop_tui.settings; "
        "sys.exit('torch' in sys.modules or 'textual' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
